-- What onward-pgmap asks. Addresses and domains are in lower case, as Onward
-- and Postfix ask for them; "@example.org" is a catch-all.
CREATE TABLE alias (
    address text NOT NULL CHECK (address = lower(address) AND address ~ '@'),
    target  text NOT NULL CHECK (target !~ '[[:cntrl:]]' AND target <> ''),
    PRIMARY KEY (address, target)
);
CREATE TABLE domain (
    name text PRIMARY KEY CHECK (name = lower(name))
);
