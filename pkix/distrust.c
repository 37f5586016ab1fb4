/* see pkix/distrust.h
 *
 * Trust that is taken back, wholly or from a day on. Mozilla does that to authorities that were found to have
 * misissued (Symantec, TrustCor, Entrust), and an administrator may have reasons of his own; either way it has to
 * hold against a store that still has the root. So rules only take away: none of them makes an anchor, and of two
 * dates the earlier counts. */
#include "pkix/distrust.h"
#include "base/text.h"
#include "pkix/nss_crypto.h"
#include "pkix/pem.h"
#include "pkix/store_internal.h"

#include <stdlib.h>

/* Of one form each, so that there is nothing to guess: "30-11-2024" is no date. */
enum { SHA256_TEXT_SIZE = 2 * PKIX_DISTRUST_SHA256_SIZE, DATE_TEXT_SIZE = 10, TIME_TEXT_SIZE = 20 };

/* By the fingerprint of the whole certificate. A name or a number would be shorter to write, but several roots share
 * them, and one that is missed stays trusted. Digits alone, without the colons that some tools print between them. */
static bool read_sha256(struct span text, uint8_t digest[static PKIX_DISTRUST_SHA256_SIZE])
{
    if (text.size != SHA256_TEXT_SIZE)
        return false;
    for (unsigned i = 0; i < PKIX_DISTRUST_SHA256_SIZE; i++) {
        int high = base_text_hex_digit(text.data[2 * i]), low = base_text_hex_digit(text.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Exactly `count` decimal digits; sscanf() would take blanks and signs for some of them. */
static bool read_digits(const uint8_t *text, size_t count, unsigned *value)
{
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *value = *value * 10 + (unsigned)(text[i] - '0');
    }
    return true;
}

/* A day alone means its last second, as the announcements do ("after November 30"); with the first second leaves of
 * that day would be refused that are still to be trusted. UTC and no other zone, like the notBefore it is held against
 * (RFC 5280 section 4.1.2.5), and only dates that the calendar has: a 31st of November is somebody's mistake. */
bool pkix_distrust_time_read(struct span text, int64_t *seconds)
{
    struct der_date date = {.hour = 23, .minute = 59, .second = 59};
    const uint8_t *t = text.data;

    if ((text.size != DATE_TEXT_SIZE && text.size != TIME_TEXT_SIZE) || t[4] != '-' || t[7] != '-' ||
        !read_digits(t, 4, &date.year) || !read_digits(t + 5, 2, &date.month) || !read_digits(t + 8, 2, &date.day))
        return false;
    if (text.size == TIME_TEXT_SIZE &&
        (t[10] != 'T' || t[13] != ':' || t[16] != ':' || t[19] != 'Z' || !read_digits(t + 11, 2, &date.hour) ||
         !read_digits(t + 14, 2, &date.minute) || !read_digits(t + 17, 2, &date.second)))
        return false;
    return der_date_to_seconds(&date, seconds);
}

/* Byte for byte, so in lower case. */
static bool is_word(struct span word, const char *text)
{
    return span_equal(word, span_of_string(text));
}

/* The comment of a line, cut off it. It is kept: in the dated list it has the root's name, without which nobody can
 * tell what a fingerprint is. */
static struct span cut_note(struct span *line)
{
    const uint8_t *mark = line->size == 0 ? NULL : memchr(line->data, '#', line->size);
    struct span note;

    if (mark == NULL)
        return span_of(NULL, 0);
    note = base_text_trim(span_skip(*line, (size_t)(mark - line->data) + 1));
    *line = span_of(line->data, (size_t)(mark - line->data));
    return note;
}

/* All of a line or an error. A rule with a word too many could be one whose date has a space in it, and would be read
 * as a later one, or as none. */
const char *pkix_distrust_rule_read(struct span line, struct pkix_distrust_rule *rule)
{
    struct span fingerprint, verb;

    *rule = (struct pkix_distrust_rule){.verb = PKIX_DISTRUST_NOTHING};
    rule->note = cut_note(&line);
    fingerprint = base_text_word(&line);
    /* Blank, or a comment alone. */
    if (fingerprint.size == 0)
        return NULL;
    if (!read_sha256(fingerprint, rule->sha256))
        return "the first word is not a SHA-256 fingerprint of 64 hexadecimal digits";
    /* One word and nothing behind it, in lower case: "Removed" is an error, and not a rule that is read as a date and
     * fails as one. What was not understood stays at PKIX_DISTRUST_NOTHING and is refused below, so there is no verb to
     * fall back to. */
    verb = base_text_word(&line);
    if (is_word(verb, "never"))
        rule->verb = PKIX_DISTRUST_NEVER;
    else if (is_word(verb, "removed"))
        rule->verb = PKIX_DISTRUST_REMOVED;
    else if (is_word(verb, "added"))
        rule->verb = PKIX_DISTRUST_ADDED;
    else if (pkix_distrust_time_read(verb, &rule->until))
        rule->verb = PKIX_DISTRUST_UNTIL;
    if (rule->verb == PKIX_DISTRUST_NOTHING || line.size != 0)
        return "after the fingerprint stands a date (YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ), \"removed\" or \"never\"";
    return NULL;
}

/* The dated list corrects lists that others keep. An anchor that an administrator named himself is his decision, which
 * no update of this program undoes; his own rules hold against all. */
static bool is_meant(const struct pkix_store_entry *entry, enum pkix_distrust_scope scope,
                     const struct pkix_distrust_rule *rule)
{
    uint8_t digest[PKIX_DISTRUST_SHA256_SIZE];

    /* A digest that cannot be made is a reason to distrust, not to trust, as in store_distrust.c. */
    return (scope == PKIX_DISTRUST_ALL || entry->listed) && (!pkix_nss_digest(PKIX_SHA256, entry->cert.der, digest) ||
                                                             memcmp(digest, rule->sha256, sizeof(digest)) == 0);
}

/* Three strengths. "never" is about the certificate, wherever it comes from: it is a rule of the store, and holds for
 * one that a peer sends along. "removed" takes the anchor away and no more, since a root that was cross-signed may
 * stand below another. With a date it stays an anchor for what it issued until then, which pkix/search_checks.c sees
 * to; the earlier date counts, so that no list gives back what another has taken. */
bool pkix_store_distrust(struct pkix_store *store, enum pkix_distrust_scope scope,
                         const struct pkix_distrust_rule *rule)
{
    bool found = false;

    /* Who says so, for the person who finds a peer refused. */
    pkix_store_distrust_from(store, scope == PKIX_DISTRUST_ALL ? "the file of distrusted roots"
                                                               : "the dated list of roots that comes with yett");
    if (rule->verb == PKIX_DISTRUST_NEVER)
        pkix_store_distrust_sha256(store, rule->sha256);
    pkix_store_distrust_from(store, NULL);
    for (size_t i = 0; i < store->anchors.count; i++) {
        struct pkix_store_entry *entry = store->anchors.entries[i];

        if (!is_meant(entry, scope, rule))
            continue;
        found = true;
        if (rule->verb == PKIX_DISTRUST_UNTIL && rule->until < entry->distrust_after)
            entry->distrust_after = rule->until;
        if (rule->verb == PKIX_DISTRUST_REMOVED)
            pkix_store_list_remove(&store->anchors, i--);
    }
    return found;
}

/* The first line that is wrong ends it, and with it the start: a file that is half applied trusts roots that somebody
 * meant to distrust. */
static bool apply_lines(struct pkix_store *store, struct span data, const char *path, char **error)
{
    struct base_text text = base_text_of(data);
    struct pkix_distrust_rule rule;
    struct span line;
    unsigned number;
    const char *problem = base_text_problem(data, &number);

    /* No text at all, or in another encoding, is told as that: its first line would only be "no fingerprint". */
    if (problem != NULL) {
        *error = base_printf("%s:%u: %s", path, number, problem);
        return false;
    }
    while (base_text_next(&text, &line)) {
        problem = pkix_distrust_rule_read(line, &rule);
        /* Nobody trusts anything by a file of what is distrusted. */
        if (problem == NULL && rule.verb == PKIX_DISTRUST_ADDED)
            problem = "\"added\" is for the list that comes with yett: trust a root by trust = file:PATH";
        if (problem != NULL) {
            *error = base_printf("%s:%u: %s", path, text.line, problem);
            return false;
        }
        /* A root that is not there is no mistake: one file may serve services that trust different lists. */
        if (rule.verb != PKIX_DISTRUST_NOTHING)
            (void)pkix_store_distrust(store, PKIX_DISTRUST_ALL, &rule);
    }
    return true;
}

/* After all that adds anchors, as pkix/distrust.h asks: "removed" and dates are held against what is there. "never" is
 * a rule, and holds for what comes later as well. */
bool pkix_store_add_distrust_path(struct pkix_store *store, const char *path, char **error)
{
    uint8_t *data;
    size_t size;
    bool ok;

    if (!pkix_file_read(path, &data, &size, error))
        return false;
    ok = apply_lines(store, span_of(data, size), path, error);
    free(data);
    return ok;
}
