/* see pkix/distrust.h */
#include "pkix/distrust.h"
#include "base/text.h"
#include "pkix/nss_crypto.h"
#include "pkix/pem.h"
#include "pkix/store_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHA256_SIZE = 32, SHA256_TEXT_SIZE = 2 * SHA256_SIZE, DATE_TEXT_SIZE = 10 };

/* What Mozilla decided for cause after NSS 3.87, whose list Debian 12 has. Roots that it retired for their age (its
 * Root CA Lifecycles) or at their owner's wish are not here: nothing is held against what they sign.
 *
 * "after": CKA_NSS_SERVER_DISTRUST_AFTER in certdata.txt, to the second. "removed": the day of a Firefox without the
 * root, or without its trust bit for web sites; Mozilla then trusts no leaf at all, and those from before have run out.
 */
static const struct {
    const char *sha256;
    struct der_date until; /* the last second of a leaf's notBefore */
} known[] = {
    /* GLOBALTRUST 2020; after. Bugzilla 1901080, NSS 3.101.1, June 2024. */
    {"9a296a5182d1d451a2e37f439b74daafa267523329f90f9a0d2007c334e23c9a", {2024, 6, 30, 0, 0, 0}},
    /* Entrust Root Certification Authority, - G2, - EC1, AffirmTrust Commercial, Networking, Premium, Premium ECC;
     * after. Bugzilla 1922387, NSS 3.107; announced on dev-security-policy, 31 July 2024. */
    {"73c176434f1bc6d5adf45b0e76e727287c8de57616c1e6e6141a2b2cbc7d8e4c", {2024, 11, 30, 23, 59, 59}},
    {"43df5774b03e7fef5fe40d931a7bedf1bb2e6b42738c4e6d3841103d3aa7f339", {2024, 11, 30, 23, 59, 59}},
    {"02ed0eb28c14da45165c566791700d6451d7fb56f0b2ab1d3b8eb070e56edff5", {2024, 11, 30, 23, 59, 59}},
    {"0376ab1d54c5f9803ce4b2e201a0ee7eef7b57b636e8a93c9b8d4860c96f5fa7", {2024, 11, 30, 23, 59, 59}},
    {"0a81ec5a929777f145904af38d5d509f66b5e2c58fcdb531058b0e17f3f0b41b", {2024, 11, 30, 23, 59, 59}},
    {"70a73f7f376b60074248904534b11482d5bf0e698ecc498df52577ebf2e93b9a", {2024, 11, 30, 23, 59, 59}},
    {"bd71fdf6da97e4cf62d1647add2581b07d79adf8397eb4ecba9c5e8488821423", {2024, 11, 30, 23, 59, 59}},
    /* Entrust Root Certification Authority - G4, Entrust.net Certification Authority (2048): the same announcement and
     * day; their trust bits went with NSS 3.107 (Bugzilla 1919913) and NSS 3.111 (1957685) instead. */
    {"db3517d1f6732a2d5ab97c533ec70779ee3270a62fb4ac4238372460e6f01e88", {2024, 11, 30, 23, 59, 59}},
    {"6dc47172e01cbcb0bf62580d895fe2b8ac9ad4f873801e0c10b9c837d21eb177", {2024, 11, 30, 23, 59, 59}},
    /* Izenpe.com; after. NSS 3.123.1, April 2026. */
    {"2530cc8e98321502bad96f9b1fba1b099e2d299e0f4548bb914f363bc0d4531f", {2026, 4, 15, 23, 59, 59}},
    /* ePKI Root Certification Authority (Chunghwa Telecom); removed. Bugzilla 1967548, NSS 3.113, for Firefox 141.
     * Chrome gave it the end of that month. */
    {"c0a6f4dc63a24bfdcf54ef2a6a082a0a72de35803e2ff5ff527ae5d87206dfd5", {2025, 7, 31, 23, 59, 59}},
    /* E-Tugra Certification Authority, E-Tugra Global Root CA RSA v3, - ECC v3; removed. NSS 3.93, Firefox 116. */
    {"b0bfd52bb0d7d9bd92bf5d4dc13da255c02c542f378365ea893911f55e55f23c", {2023, 8, 1, 0, 0, 0}},
    {"ef66b0b10a3cdb9f2e3648c76bd2af18ead2bfe6f117655e28c4060da1a3f4c2", {2023, 8, 1, 0, 0, 0}},
    {"873f4685fa7f563625252e6d36bcd7f16fc24951f264e47e1b954f4908cdca13", {2023, 8, 1, 0, 0, 0}},
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_sha256(const char *text, uint8_t digest[SHA256_SIZE])
{
    for (unsigned i = 0; i < SHA256_SIZE; i++) {
        int high = hex_digit(text[2 * i]), low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

        if (low < 0)
            return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Exactly `count` decimal digits; sscanf() would take blanks and signs for some of them. */
static bool parse_digits(const char *text, size_t count, unsigned *value)
{
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *value = *value * 10 + (unsigned)(text[i] - '0');
    }
    return true;
}

/* The last second of a day written YYYY-MM-DD. */
static bool parse_date(const char *text, int64_t *seconds)
{
    struct der_date date = {.hour = 23, .minute = 59, .second = 59};

    return strlen(text) == DATE_TEXT_SIZE && text[4] == '-' && text[7] == '-' && parse_digits(text, 4, &date.year) &&
           parse_digits(text + 5, 2, &date.month) && parse_digits(text + 8, 2, &date.day) &&
           der_date_to_seconds(&date, seconds);
}

enum apply_to { APPLY_TO_MOZILLA, APPLY_TO_ALL };

static void apply(struct pkix_store *store, enum apply_to to, const uint8_t sha256[SHA256_SIZE], int64_t until)
{
    for (size_t i = 0; i < store->anchors.count; i++) {
        struct pkix_store_entry *entry = store->anchors.entries[i];
        uint8_t digest[SHA256_SIZE];

        /* What an administrator trusts by name is for clients, too, and stays trusted unless he says otherwise. */
        if (to == APPLY_TO_MOZILLA && entry->purposes != PKIX_FOR_SERVER)
            continue;
        if (!pkix_nss_digest(PKIX_SHA256, entry->cert.der, digest) || memcmp(digest, sha256, SHA256_SIZE) != 0)
            continue;
        if (until < entry->distrust_after)
            entry->distrust_after = until;
    }
}

void pkix_distrust_known(struct pkix_store *store)
{
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        uint8_t sha256[SHA256_SIZE];
        int64_t until;

        if (!parse_sha256(known[i].sha256, sha256) || !der_date_to_seconds(&known[i].until, &until))
            base_abort("distrust table, row %u", i);
        apply(store, APPLY_TO_MOZILLA, sha256, until);
    }
}

/* "SHA256 DATE" or "SHA256 never", blank, or a comment. */
static bool apply_line(struct pkix_store *store, char *line, const char *path, unsigned number, char **error)
{
    uint8_t sha256[SHA256_SIZE];
    int64_t until;
    char *save = NULL, *fingerprint, *date, *more;

    line[strcspn(line, "#")] = '\0';
    fingerprint = strtok_r(line, " \t", &save);
    if (fingerprint == NULL)
        return true;
    date = strtok_r(NULL, " \t", &save);
    more = strtok_r(NULL, " \t", &save);
    if (strlen(fingerprint) != SHA256_TEXT_SIZE || !parse_sha256(fingerprint, sha256)) {
        *error =
            base_printf("%s:%u: the first word is not a SHA-256 fingerprint of 64 hexadecimal digits", path, number);
        return false;
    }
    if (date == NULL || more != NULL || (strcmp(date, "never") != 0 && !parse_date(date, &until))) {
        *error = base_printf("%s:%u: after the fingerprint stands a date (YYYY-MM-DD) or \"never\"", path, number);
        return false;
    }
    if (strcmp(date, "never") == 0)
        pkix_store_distrust_sha256(store, sha256);
    else
        apply(store, APPLY_TO_ALL, sha256, until);
    return true;
}

bool pkix_store_add_distrust_path(struct pkix_store *store, const char *path, char **error)
{
    struct base_text text;
    struct span line;
    const char *problem;
    unsigned number;
    uint8_t *data;
    size_t size;
    bool ok;

    if (!pkix_file_read(path, &data, &size, error))
        return false;
    problem = base_text_problem(span_of(data, size), &number);
    ok = problem == NULL;
    if (!ok)
        *error = base_printf("%s:%u: %s", path, number, problem);
    text = base_text_of(span_of(data, size));
    while (ok && base_text_next(&text, &line)) {
        char *copy = base_strndup((const char *)line.data, line.size);

        ok = apply_line(store, copy, path, text.line, error);
        free(copy);
    }
    free(data);
    return ok;
}
