/* base/key_groups.h: the one list of the groups in which the two sides of a TLS connection agree on keys.
 *
 * The configuration has its words from here (groups), tls/ what NSS and the peer call them, and the counters their
 * names. TLS calls them groups since RFC 7919; before, they were curves. */
#ifndef YETT_BASE_KEY_GROUPS_H
#define YETT_BASE_KEY_GROUPS_H

/* X(ID, word, number, curve), the one that is liked best first: the order of groups = auto.
 *   ID      of KEY_GROUP_ID
 *   word    in groups = WORD, the log, the pages, and the names of counters
 *   number  IANA's, in TLS's supported_groups
 *   curve   whether TLS 1.2 has it, too: 1 or 0
 *
 * X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem) is X25519 and ML-KEM-768 (FIPS 203) together: what is recorded today and
 * read by a quantum computer one day needs both of them broken. secp521r1 last: for those whose certificate has it. */
#define KEY_GROUPS(X)                                                                                                  \
    X(X25519MLKEM768, x25519mlkem768, 0x11ec, 0)                                                                       \
    X(X25519, x25519, 0x001d, 1)                                                                                       \
    X(SECP256R1, secp256r1, 0x0017, 1)                                                                                 \
    X(SECP384R1, secp384r1, 0x0018, 1)                                                                                 \
    X(SECP521R1, secp521r1, 0x0019, 1)

#define KEY_GROUPS_ID(id, word, number, curve) KEY_GROUP_##id,
enum key_group { KEY_GROUPS(KEY_GROUPS_ID) KEY_GROUP_COUNT };
#undef KEY_GROUPS_ID

#endif
