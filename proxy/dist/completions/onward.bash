# Completion of onward(8) for bash. Commands, options and their values come
# from `onward --help` and `onward COMMAND --help`, so they are those of the
# program that is installed.

# The command table: one command or "group subcommand" a line.
_onward_commands() {
    "$1" --help 2>/dev/null | sed -n '
        /^commands:/,/^options:/ s/^  \([a-z]\{1,\}\( [a-z]\{1,\}\)\{0,1\}\)  .*/\1/p'
}

# The options of a command, with all that its usage line names.
_onward_options() {
    "$1" "${@:2}" --help 2>/dev/null | grep -o -E -e '--[a-z][a-z-]*' | sort -u
}

_onward_domains() {
    "$@" dkim list 2>/dev/null | cut -d ' ' -f 1 | sort -u
}

_onward() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local program=${COMP_WORDS[0]} i word
    local -a words=() conf=()
    COMPREPLY=()

    # The words of the command so far, without options and -c FILE.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        -c | --config)
            conf=(-c "${COMP_WORDS[i + 1]}")
            ((i++))
            ;;
        -*) ;;
        *) words+=("$word") ;;
        esac
    done

    case $prev in
    -c | --config | --message | --secret-file | --file | \
        --dns-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --postfix-config)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --mac) word='sha256 classic' ;;
    --format) word='bind plain nsupdate json' ;;
    --type)
        word='rsa ed25519'
        [ "${words[0]-}" != map ] || word='aliases domains pairs'
        ;;
    --listener)
        word=$("$program" "${conf[@]}" config show 2>/dev/null |
            sed -n 's/^listeners\[[0-9]*\]\.name = "\([^"]*\)".*/\1/p')
        ;;
    --from | --domain | --selector | --bits | --after | --max-age | \
        --client-ip | --helo | --time | \
        --hash-length | --hash-minimum | --min-entries | --max-shrink)
        return
        ;;
    *)
        word=
        ;;
    esac
    if [ -n "$word" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
        return
    fi

    local commands group
    commands=$(_onward_commands "$program")
    if [ ${#words[@]} = 0 ]; then
        case $cur in
        -*) word='-c --help --version' ;;
        *) word=$(cut -d ' ' -f 1 <<<"$commands" | uniq) ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
        return
    fi
    group=$(sed -n "s/^${words[0]} //p" <<<"$commands")
    if [ -n "$group" ] && [ ${#words[@]} = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$group" -- "$cur")
        return
    fi
    [ -z "$group" ] || words=("${words[0]}" "${words[1]}")
    [ -n "$group" ] || words=("${words[0]}")
    if [[ $cur == -* ]]; then
        word=$(_onward_options "$program" "${words[@]}")
        mapfile -t COMPREPLY < <(compgen -W "$word --help" -- "$cur")
        return
    fi
    case ${words[*]} in
    dkim\ sign)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames 2>/dev/null
        ;;
    dkim\ *)
        word=$(_onward_domains "$program" "${conf[@]}")
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
        ;;
    map\ * | import)
        [ "${words[0]}" != import ] ||
            word=$([ "$prev" = import ] && echo haraka postsrsd opendkim)
        [ "${words[0]}" != map ] || word='cdb: lmdb: texthash: socketmap:'
        mapfile -t COMPREPLY < <(
            [ "$prev" != import ] && compgen -f -- "$cur"
            compgen -W "$word" -- "$cur"
        )
        compopt -o filenames -o nospace 2>/dev/null
        ;;
    esac
}

complete -F _onward onward
