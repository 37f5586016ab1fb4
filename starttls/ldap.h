/* starttls/ldap.h: the parts of LDAP, each a file of its own, which ldap.c joins. Private to starttls/. */
#ifndef YETT_STARTTLS_LDAP_H
#define YETT_STARTTLS_LDAP_H

#include "starttls/ber.h"
#include "starttls/machine.h"

extern const struct machine_class ldap_probe_class; /* ldap_probe.c */
extern const struct filter_class ldap_filter_class; /* ldap_filter.c */

#define LDAP_STARTTLS_OID "1.3.6.1.4.1.1466.20037" /* RFC 4511 section 4.14.1 */
#define LDAP_NOTICE_OID   "1.3.6.1.4.1.1466.20036" /* Notice of Disconnection, section 4.4.1 */

/* protocolOp (RFC 4511 section 4.2): the tags. */
enum ldap_op {
    LDAP_BIND_REQUEST = 0x60,
    LDAP_BIND_RESPONSE = 0x61,
    LDAP_UNBIND_REQUEST = 0x42,
    LDAP_SEARCH_REQUEST = 0x63,
    LDAP_SEARCH_ENTRY = 0x64,
    LDAP_SEARCH_DONE = 0x65,
    LDAP_SEARCH_REFERENCE = 0x73,
    LDAP_MODIFY_REQUEST = 0x66,
    LDAP_ADD_REQUEST = 0x68,
    LDAP_DELETE_REQUEST = 0x4a,
    LDAP_MODIFY_DN_REQUEST = 0x6c,
    LDAP_COMPARE_REQUEST = 0x6e,
    LDAP_ABANDON_REQUEST = 0x50,
    LDAP_EXTENDED_REQUEST = 0x77,
    LDAP_EXTENDED_RESPONSE = 0x78,
};

/* Section 4.1.9. */
enum ldap_result {
    LDAP_SUCCESS = 0,
    LDAP_PROTOCOL_ERROR = 2,
    LDAP_UNAVAILABLE_CRITICAL_EXTENSION = 12,
    LDAP_CONFIDENTIALITY_REQUIRED = 13,
    LDAP_INSUFFICIENT_ACCESS_RIGHTS = 50,
    LDAP_BUSY = 51,
    LDAP_UNAVAILABLE = 52,
};

struct ldap_message {
    uint32_t id; /* 0: nobody asked */
    uint8_t op;
    struct span content; /* of the operation */
    bool has_controls;
};

/* Read a whole LDAPMessage; false where it is none. */
MUST_CHECK bool ldap_message_read(struct span bytes, struct ldap_message *message); /* ldap.c */

/* Gather a message, of at most STARTTLS_LDAP_MESSAGE_BYTES_MAX, in `held`; *consumed says how many of `bytes` belong to
 * it. BER_OK: it is whole. BER_BAD: it is none, or too long. */
MUST_CHECK enum ber_status ldap_message_gather(struct buffer *held, struct span bytes, size_t *consumed); /* ldap.c */

#endif
