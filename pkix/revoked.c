/* see pkix/revoked.h */
#include "pkix/revoked.h"
#include "base/base.h"

const char *pkix_reason_name(int reason)
{
    static const char *const names[] = {"unspecified",        "keyCompromise",     "cACompromise",
                                        "affiliationChanged", "superseded",        "cessationOfOperation",
                                        "certificateHold",    NULL /* not used */, "removeFromCRL",
                                        "privilegeWithdrawn", "aACompromise"};

    return reason < 0 || (size_t)reason >= ARRAY_LEN(names) ? NULL : names[reason];
}
