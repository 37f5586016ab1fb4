#compdef yett
# zsh completion for yett(8).
# Made by packaging/completion/generate from what "yett --help" says; a test holds them against each other.

_yett() {
    local -a commands cert_commands crl_commands trust_commands token_commands
    local command=$words[2]

    commands=(
        'run:run the proxy in the foreground'
        'check:check the configuration, and open all it names'
        'status:show the running yett\: workers, services, tokens'
        'connections:list its sessions'
        'show:show one session'
        'reload:have it read its configuration again'
        'drain:take it out of service, and let sessions end'
        'stop:end it'
        'cert:certificates and keys in the NSS database'
        'crl:certificate revocation lists'
        'trust:the roots of Mozilla’s list, and their age'
        'token:PKCS#11 modules, tokens and their keys'
        'verify:build and check a certificate path, and explain it'
        'version:print versions'
        'help:print this'
    )
    cert_commands=(
        'create:make an authority, issue a certificate, sign a request'
        'list:list the certificates'
        'show:show one, of the database or of a file'
        'import:store certificates and keys from PEM or PKCS#12 files'
        'export:write a certificate, and its key if asked, to PEM files'
        'trust:say whom the database trusts as an authority'
        'delete:delete a certificate'
    )
    crl_commands=(
        'add:check lists and store them'
        'list:list them'
        'show:tell what is in one'
        'delete:delete one'
    )
    trust_commands=(
        'update:take in a newer list'
        'status:tell which list is used, of when, and what it lacks'
    )
    token_commands=(
        'list:list tokens and what is on them, as pkcs11\: URIs'
        'info:what a module, its tokens and their mechanisms are and can do'
        'set-pin:change a token’s PIN'
        'init:initialise an empty slot’s token (for SoftHSM and other demo tokens)'
        'keygen:make a key pair that never leaves the token'
        'request:make a certificate request for a key, signed on the token'
        'import:put an issued certificate beside its key'
        'login:give a PIN to the running yett, after one was refused or taken back'
        'logout:take the PIN back from the running yett'
    )
    if (( CURRENT == 2 )); then
        _describe 'command' commands
        return
    fi
    if (( CURRENT == 3 )); then
        case $command in
        cert) _describe 'command' cert_commands; return ;;
        crl) _describe 'command' crl_commands; return ;;
        token) _describe 'command' token_commands; return ;;
        trust) _describe 'command' trust_commands; return ;;
        esac
    fi
    case $command in
        (cert|crl|token|trust)
            command="$command $words[3]"
            shift 2 words
            (( CURRENT -= 2 ))
            ;;
        (*)
            shift words
            (( CURRENT -= 1 ))
            ;;
    esac
    case $command in
        'run')
            _arguments \
                '(-c --config)-c[the configuration]:file:_files' \
                '(-c --config)--config[the configuration]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'check')
            _arguments \
                '(-c --config)-c[the configuration]:file:_files' \
                '(-c --config)--config[the configuration]:file:_files' \
                '(--live)--live[also look at the tokens of every module, and go to each target of each]' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'status')
            _arguments \
                '(-c --config)-c[the configuration the running yett was started with]:file:_files' \
                '(-c --config)--config[the configuration the running yett was started with]:file:_files' \
                '(--control)--control[its control socket, when it is another than the configuration says]:file:_files' \
                '(--json)--json[print JSON]' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'connections')
            _arguments \
                '(-c --config)-c[the configuration the running yett was started with]:file:_files' \
                '(-c --config)--config[the configuration the running yett was started with]:file:_files' \
                '(--control)--control[its control socket, when it is another than the configuration says]:file:_files' \
                '(--json)--json[print JSON]' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'show')
            _arguments \
                '(-c --config)-c[the configuration the running yett was started with]:file:_files' \
                '(-c --config)--config[the configuration the running yett was started with]:file:_files' \
                '(--control)--control[its control socket, when it is another than the configuration says]:file:_files' \
                '(--json)--json[print JSON]' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'reload')
            _arguments \
                '(-c --config)-c[the configuration the running yett was started with]:file:_files' \
                '(-c --config)--config[the configuration the running yett was started with]:file:_files' \
                '(--control)--control[its control socket, when it is another than the configuration says]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'drain')
            _arguments \
                '(-c --config)-c[the configuration the running yett was started with]:file:_files' \
                '(-c --config)--config[the configuration the running yett was started with]:file:_files' \
                '(--control)--control[its control socket, when it is another than the configuration says]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'stop')
            _arguments \
                '(-c --config)-c[the configuration the running yett was started with]:file:_files' \
                '(-c --config)--config[the configuration the running yett was started with]:file:_files' \
                '(--control)--control[its control socket, when it is another than the configuration says]:file:_files' \
                '(--now)--now[do not wait for sessions]' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'cert create')
            _arguments \
                '(--ca)--ca[for an authority]' \
                '(--server)--server[for a server (default), a client]' \
                '(--client)--client[for a server (default), a client]' \
                '(--issuer)--issuer[the authority that signs]:file:_files' \
                '(--self-signed)--self-signed[no authority]' \
                '(--subject)--subject[such as CN=localhost,O=Example]:value:' \
                '*--san[dns\:HOST, ip\:ADDRESS, email\:ADDRESS or uri\:URI]:value:' \
                '(--days)--days[how long it is valid]:value:' \
                '(--key-type)--key-type[p256 (default), p384, rsa2048, rsa3072, rsa4096]:value:(p256 p384 rsa2048 rsa3072 rsa4096)' \
                '(--request)--request[sign this PEM request (PKCS#10) instead of making a key]:file:_files' \
                '(--out)--out[write the certificate as PEM]:file:_files' \
                '(--out-key)--out-key[write the key too (PKCS#8 PEM, mode 0600, a new file)]:file:_files' \
                '(--database)--database[the database]:database:(sql\:/var/lib/yett/nss)' \
                '(--password-file)--password-file[its password, if it has one]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'cert list')
            _arguments \
                '(--json)--json[one array of objects]' \
                '(--database)--database[the database]:database:(sql\:/var/lib/yett/nss)' \
                '(--password-file)--password-file[its password, if it has one]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'cert show')
            _arguments \
                '(--json)--json[an object instead]' \
                '(--database)--database[the database]:database:(sql\:/var/lib/yett/nss)' \
                '(--password-file)--password-file[its password, if it has one]:file:_files' \
                '--help[tell the options]' \
                '*:file:_files'
            ;;
        'cert import')
            _arguments \
                '(--key)--key[a PEM file with the key (PKCS#8, PKCS#1 or SEC1, not encrypted)]:file:_files' \
                '(--pkcs12)--pkcs12[FILE is PKCS#12 (.p12, .pfx)]' \
                '(--pkcs12-password)--pkcs12-password[where its password is]:source:(file\: env\: credential\: prompt)' \
                '(--pkcs12-password-file)--pkcs12-password-file[the same as file\:FILE]:file:_files' \
                '(--database)--database[the database]:database:(sql\:/var/lib/yett/nss)' \
                '(--password-file)--password-file[its password, if it has one]:file:_files' \
                '--help[tell the options]' \
                '*:file:_files'
            ;;
        'cert export')
            _arguments \
                '(--out)--out[write the certificate there]:file:_files' \
                '(--out-key)--out-key[write its key (PKCS#8 PEM, mode 0600, a new file)]:file:_files' \
                '(--pkcs12)--pkcs12[write a PKCS#12 file instead]' \
                '(--pkcs12-password)--pkcs12-password[where its password is]:source:(file\: env\: credential\: prompt)' \
                '(--pkcs12-password-file)--pkcs12-password-file[the same as file\:FILE]:file:_files' \
                '(--database)--database[the database]:database:(sql\:/var/lib/yett/nss)' \
                '(--password-file)--password-file[its password, if it has one]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'cert trust')
            _arguments \
                '(--server)--server[it is believed about servers]' \
                '(--client)--client[it is believed about clients]' \
                '(--none)--none[it is not believed any more]' \
                '(--database)--database[the database]:database:(sql\:/var/lib/yett/nss)' \
                '(--password-file)--password-file[its password, if it has one]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'cert delete')
            _arguments \
                '(--with-key)--with-key[delete its private key too]' \
                '(--database)--database[the database]:database:(sql\:/var/lib/yett/nss)' \
                '(--password-file)--password-file[its password, if it has one]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'crl add')
            _arguments \
                '(--directory)--directory[the folder]:folder:_files -/' \
                '--help[tell the options]' \
                '*:file:_files'
            ;;
        'crl list')
            _arguments \
                '(--json)--json[one array of objects]' \
                '(--directory)--directory[the folder]:folder:_files -/' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'crl show')
            _arguments \
                '(--json)--json[an object instead]' \
                '(--directory)--directory[the folder]:folder:_files -/' \
                '--help[tell the options]' \
                '*:file:_files'
            ;;
        'crl delete')
            _arguments \
                '(--directory)--directory[the folder]:folder:_files -/' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'trust update')
            _arguments \
                '(--date)--date[the day the list is of]:value:' \
                '(--force)--force[take a list that is older than the one kept]' \
                '(--roots)--roots[where the list is kept]:file:_files' \
                '--help[tell the options]' \
                '*:file:_files'
            ;;
        'trust status')
            _arguments \
                '(--json)--json[one object]' \
                '(--roots)--roots[where the list is kept]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'token list')
            _arguments \
                '(--json)--json[JSON instead of lines]' \
                '(--module)--module[the PKCS#11 module]:file:_files' \
                '(-c --config)-c[yett.conf]:file:_files' \
                '(-c --config)--config[yett.conf]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'token info')
            _arguments \
                '(--json)--json[one object instead]' \
                '(--module)--module[the PKCS#11 module]:file:_files' \
                '(-c --config)-c[yett.conf]:file:_files' \
                '(-c --config)--config[yett.conf]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'token set-pin')
            _arguments \
                '(--pin)--pin[where the old PIN is]:source:(file\: env\: credential\: prompt)' \
                '(--new-pin)--new-pin[where the new one is]:source:(file\: env\: credential\: prompt)' \
                '(--insecure-weak-pin)--insecure-weak-pin[set it however weak it is]' \
                '(--module)--module[the PKCS#11 module]:file:_files' \
                '(-c --config)-c[yett.conf]:file:_files' \
                '(-c --config)--config[yett.conf]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'token init')
            _arguments \
                '(--label)--label[what the token will be called]:value:' \
                '(--so-pin)--so-pin[the PIN of its security officer, like --pin]:source:(file\: env\: credential\: prompt)' \
                '(--pin)--pin[where the PIN is]:source:(file\: env\: credential\: prompt)' \
                '(--module)--module[the PKCS#11 module]:file:_files' \
                '(-c --config)-c[yett.conf]:file:_files' \
                '(-c --config)--config[yett.conf]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'token keygen')
            _arguments \
                '(--type)--type[p256 (default), p384, p521, rsa2048, rsa3072, rsa4096]:value:(p256 p384 p521 rsa2048 rsa3072 rsa4096)' \
                '(--force)--force[also where a key of this label is there already]' \
                '(--pin)--pin[where the PIN is]:source:(file\: env\: credential\: prompt)' \
                '(--module)--module[the PKCS#11 module]:file:_files' \
                '(-c --config)-c[yett.conf]:file:_files' \
                '(-c --config)--config[yett.conf]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'token request')
            _arguments \
                '(--subject)--subject[such as CN=alice,O=Example]:value:' \
                '*--san[dns\:HOST, ip\:ADDRESS, email\:ADDRESS or uri\:URI]:value:' \
                '(--out)--out[where to write it]:file:_files' \
                '(--pin)--pin[where the PIN is]:source:(file\: env\: credential\: prompt)' \
                '(--module)--module[the PKCS#11 module]:file:_files' \
                '(-c --config)-c[yett.conf]:file:_files' \
                '(-c --config)--config[yett.conf]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'token import')
            _arguments \
                '(--pin)--pin[where the PIN is]:source:(file\: env\: credential\: prompt)' \
                '(--module)--module[the PKCS#11 module]:file:_files' \
                '(-c --config)-c[yett.conf]:file:_files' \
                '(-c --config)--config[yett.conf]:file:_files' \
                '--help[tell the options]' \
                '*:file:_files'
            ;;
        'token login')
            _arguments \
                '(-c --config)-c[the configuration the running yett was started with]:file:_files' \
                '(-c --config)--config[the configuration the running yett was started with]:file:_files' \
                '(--control)--control[its control socket, when it is another than the configuration says]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'token logout')
            _arguments \
                '(-c --config)-c[the configuration the running yett was started with]:file:_files' \
                '(-c --config)--config[the configuration the running yett was started with]:file:_files' \
                '(--control)--control[its control socket, when it is another than the configuration says]:file:_files' \
                '--help[tell the options]' \
                '*:: :'
            ;;
        'verify')
            _arguments \
                '*--trust[PEM file (or directory) of trust anchors]:file:_files' \
                '(--module)--module[the PKCS#11 module for such a URI]:file:_files' \
                '(--roots)--roots[mozilla, system or none]:value:(mozilla system none)' \
                '*--intermediates[PEM file of untrusted issuers]:file:_files' \
                '(--purpose)--purpose[server (default) or client]:value:(server client)' \
                '(--peer-purpose)--peer-purpose[with --purpose client]:value:(client server any)' \
                '(--profile)--profile[default]:value:(default strict)' \
                '(--name)--name[dns\:HOST, ip\:ADDR or email\:ADDR]:value:' \
                '(--time)--time[RFC 3339 (2026-01-31T12\:00\:00Z) or @SECONDS]:value:' \
                '*--crl[CRLs, PEM or DER]:file:_files' \
                '*--ocsp[an OCSP response, DER]:file:_files' \
                '(--revocation)--revocation[off, soft (default]:value:(off soft hard)' \
                '(--blocklist)--blocklist[certificates that are never accepted, as the setting blocklist has the]:file:_files' \
                '(--distrust)--distrust[roots that are trusted no longer, as the setting distrust has them]:file:_files' \
                '*--pin[SHA-256 of a public key, one of which the path must have]:value:' \
                '*--policy[a certificate policy that must hold for the path]:value:' \
                '(--ev)--ev[as --policy OID, the only one]:value:' \
                '*--ev-root[a policy that means extended validation, and the SHA-256 of the root t]:value:' \
                '(--json)--json[one object instead of text]' \
                '--help[tell the options]' \
                '*:file:_files'
            ;;
        'version')
            _arguments \
                '--help[tell the options]' \
                '*:: :'
            ;;
    esac
}

_yett "$@"
