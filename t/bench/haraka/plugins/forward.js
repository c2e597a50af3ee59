'use strict'

// An alias, SRS of the reverse-path, and a signature of the SRS domain: what
// haraka-alias-forward does, on the Haraka of today.

const SRS = require('srs.js')
const { Address } = require('@haraka/email-address')

const domain = 'srs.public.example'
const srs = new SRS({ secret: 'a secret for tests only' })

exports.hook_rcpt = function (next, connection, params) {
  const txn = connection.transaction
  const [rcpt] = params

  if (rcpt.host !== 'public.example' || !/^fwd\./.test(rcpt.user)) return next()
  txn.rcpt_to.pop()
  txn.rcpt_to.push(new Address('<me@private.example>'))
  const from = txn.mail_from
  txn.mail_from = new Address(`<${srs.rewrite(from.user, from.host)}@${domain}>`)
  txn.notes.forward = true // dkim: the envelope's domain signs
  connection.relaying = true
  next(OK)
}

// No name server is asked.
exports.hook_lookup_rdns = function (next) {
  setImmediate(() => next(OK, 'load.example')) // not within the constructor
}
