# bash completion for yett(8).
# Made by packaging/completion/generate from what "yett --help" says; a test holds them against each other.

_yett_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
    case ${COMPREPLY[*]} in
        *:) compopt -o nospace 2>/dev/null ;; # more is to come
    esac
    return 0
}

_yett_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

_yett_folders() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
}

_yett() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} options=

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        _yett_words 'run check status connections show reload drain stop cert crl trust token verify version help --help --version'
        return
    fi
    if [ "$COMP_CWORD" -eq 2 ]; then
        case $command in
        cert) _yett_words 'create list show import export trust delete --help' ; return ;;
        crl) _yett_words 'add list show delete --help' ; return ;;
        token) _yett_words 'list info set-pin init keygen request import login logout --help' ; return ;;
        trust) _yett_words 'update status --help' ; return ;;
        esac
    fi
    case $command in
        cert|crl|token|trust) command="$command ${COMP_WORDS[2]}" ;;
    esac
    case $command:$previous in
        'verify:--peer-purpose') _yett_words 'client server any' && return ;;
        'cert create:--database'|'cert delete:--database'|'cert export:--database'|'cert import:--database'|'cert list:--database'|'cert show:--database'|'cert trust:--database') _yett_words 'sql:/var/lib/yett/nss' && return ;;
        'verify:--profile') _yett_words 'default strict' && return ;;
        'cert create:--issuer'|'cert create:--out'|'cert create:--out-key'|'cert create:--password-file'|'cert create:--request'|'cert delete:--password-file'|'cert export:--out'|'cert export:--out-key'|'cert export:--password-file'|'cert export:--pkcs12-password-file'|'cert import:--key'|'cert import:--password-file'|'cert import:--pkcs12-password-file'|'cert list:--password-file'|'cert show:--password-file'|'cert trust:--password-file'|'check:--config'|'check:-c'|'connections:--config'|'connections:--control'|'connections:-c'|'drain:--config'|'drain:--control'|'drain:-c'|'reload:--config'|'reload:--control'|'reload:-c'|'run:--config'|'run:-c'|'show:--config'|'show:--control'|'show:-c'|'status:--config'|'status:--control'|'status:-c'|'stop:--config'|'stop:--control'|'stop:-c'|'token import:--config'|'token import:--module'|'token import:-c'|'token info:--config'|'token info:--module'|'token info:-c'|'token init:--config'|'token init:--module'|'token init:-c'|'token keygen:--config'|'token keygen:--module'|'token keygen:-c'|'token list:--config'|'token list:--module'|'token list:-c'|'token login:--config'|'token login:--control'|'token login:-c'|'token logout:--config'|'token logout:--control'|'token logout:-c'|'token request:--config'|'token request:--module'|'token request:--out'|'token request:-c'|'token set-pin:--config'|'token set-pin:--module'|'token set-pin:-c'|'trust status:--roots'|'trust update:--roots'|'verify:--blocklist'|'verify:--crl'|'verify:--distrust'|'verify:--intermediates'|'verify:--module'|'verify:--ocsp'|'verify:--trust') _yett_files && return ;;
        'crl add:--directory'|'crl delete:--directory'|'crl list:--directory'|'crl show:--directory') _yett_folders && return ;;
        'verify:--roots') _yett_words 'mozilla system none' && return ;;
        'cert create:--days'|'cert create:--san'|'cert create:--subject'|'token init:--label'|'token request:--san'|'token request:--subject'|'trust update:--date'|'verify:--ev'|'verify:--ev-root'|'verify:--name'|'verify:--pin'|'verify:--policy'|'verify:--time') : && return ;;
        'verify:--revocation') _yett_words 'off soft hard' && return ;;
        'token keygen:--type') _yett_words 'p256 p384 p521 rsa2048 rsa3072 rsa4096' && return ;;
        'cert create:--key-type') _yett_words 'p256 p384 rsa2048 rsa3072 rsa4096' && return ;;
        'verify:--purpose') _yett_words 'server client' && return ;;
        'cert export:--pkcs12-password'|'cert import:--pkcs12-password'|'token import:--pin'|'token init:--pin'|'token init:--so-pin'|'token keygen:--pin'|'token request:--pin'|'token set-pin:--new-pin'|'token set-pin:--pin') _yett_words 'file: env: credential: prompt' && return ;;
    esac
    case $command in
        'run') options='-c --config --help' ;;
        'check') options='-c --config --live --help' ;;
        'status') options='-c --config --control --json --help' ;;
        'connections') options='-c --config --control --json --help' ;;
        'show') options='-c --config --control --json --help' ;;
        'reload') options='-c --config --control --help' ;;
        'drain') options='-c --config --control --help' ;;
        'stop') options='-c --config --control --now --help' ;;
        'cert create') options='--ca --server --client --issuer --self-signed --subject --san --days --key-type --request --out --out-key --database --password-file --help' ;;
        'cert list') options='--json --database --password-file --help' ;;
        'cert show') options='--json --database --password-file --help' ;;
        'cert import') options='--key --pkcs12 --pkcs12-password --pkcs12-password-file --database --password-file --help' ;;
        'cert export') options='--out --out-key --pkcs12 --pkcs12-password --pkcs12-password-file --database --password-file --help' ;;
        'cert trust') options='--server --client --none --database --password-file --help' ;;
        'cert delete') options='--with-key --database --password-file --help' ;;
        'crl add') options='--directory --help' ;;
        'crl list') options='--json --directory --help' ;;
        'crl show') options='--json --directory --help' ;;
        'crl delete') options='--directory --help' ;;
        'trust update') options='--date --force --roots --help' ;;
        'trust status') options='--json --roots --help' ;;
        'token list') options='--json --module -c --config --help' ;;
        'token info') options='--json --module -c --config --help' ;;
        'token set-pin') options='--pin --new-pin --insecure-weak-pin --module -c --config --help' ;;
        'token init') options='--label --so-pin --pin --module -c --config --help' ;;
        'token keygen') options='--type --force --pin --module -c --config --help' ;;
        'token request') options='--subject --san --out --pin --module -c --config --help' ;;
        'token import') options='--pin --module -c --config --help' ;;
        'token login') options='-c --config --control --help' ;;
        'token logout') options='-c --config --control --help' ;;
        'verify') options='--trust --module --roots --intermediates --purpose --peer-purpose --profile --name --time --crl --ocsp --revocation --blocklist --distrust --pin --policy --ev --ev-root --json --help' ;;
        'version') options='--help' ;;
    esac
    case $current in
        -*) _yett_words "$options" && return ;;
    esac
    case $command in
        'verify'|'cert show'|'cert import'|'crl add'|'crl show'|'trust update'|'token import') _yett_files ;;
    esac
}

complete -o default -F _yett yett
