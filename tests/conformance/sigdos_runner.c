/* sigdos-runner: chains that make a careless builder verify signatures without end.
 *
 * sigdos-runner FILE.tsv...: each line has id, SERVER or CLIENT, unix time, name kind, name, leaf, intermediates and
 * roots (base64 DER, separated by commas or spaces). Writes for each: id, valid or invalid, the error's name, the
 * signature checks made, how many certificates there were, and the milliseconds taken. */
#include "pkix/pem.h"
#include "pkix/store.h"
#include "pkix/verify.h"

#include <nss.h>
#include <nssb64.h>
#include <secitem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FIELDS = 8, CERTS_MAX = 256 };

static size_t decode_list(char *text, struct span *out)
{
    size_t count = 0;

    for (char *save = NULL, *item = strtok_r(text, ", ;|", &save); item != NULL && count < CERTS_MAX;
         item = strtok_r(NULL, ", ;|", &save)) {
        SECItem *der = NSSBase64_DecodeBuffer(NULL, NULL, item, (unsigned)strlen(item));

        if (der == NULL)
            base_abort("not base64: %.20s", item);
        out[count++] = span_of(base_memdup(der->data, der->len), der->len);
        SECITEM_FreeItem(der, PR_TRUE);
    }
    return count;
}

/* Processor time, so that what else the machine does is not counted. */
static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run_line(char *line)
{
    char *fields[FIELDS], *rest = line;
    struct span leaf[CERTS_MAX], extras[CERTS_MAX], roots[CERTS_MAX];
    size_t leaf_count, extra_count, root_count;
    struct pkix_store *store = pkix_store_create();
    struct pkix_verdict *verdict = NULL;
    enum pkix_error result;
    double start;

    for (unsigned i = 0; i < FIELDS; i++)
        if ((fields[i] = strsep(&rest, "\t")) == NULL)
            base_abort("a line has %u fields", i);
    leaf_count = decode_list(fields[5], leaf);
    extra_count = decode_list(fields[6], extras);
    root_count = decode_list(fields[7], roots);
    for (size_t i = 0; i < root_count; i++) {
        char *error = NULL;

        if (!pkix_store_add_anchor(store, roots[i], &error))
            base_abort("%s", error);
    }
    if (leaf_count != 1)
        base_abort("%zu leaves", leaf_count);
    start = now_ms();
    result = pkix_verify(
        store,
        &(struct pkix_request){.leaf = leaf[0],
                               .extras = extras,
                               .extras_count = extra_count,
                               .purpose = strcmp(fields[1], "CLIENT") == 0 ? PKIX_PURPOSE_CLIENT : PKIX_PURPOSE_SERVER,
                               .name = {PKIX_NAME_DNS, span_of_string(fields[4])},
                               .time = strtoll(fields[2], NULL, 10)},
        &verdict);
    printf("%s\t%s\t%s\t%u\t%zu\t%.1f\n", fields[0], result == PKIX_OK ? "valid" : "invalid", pkix_error_name(result),
           pkix_verdict_signature_checks(verdict), extra_count, now_ms() - start);
    pkix_verdict_destroy(&verdict);
    pkix_store_destroy(&store);
    free((void *)(uintptr_t)leaf[0].data);
    for (size_t i = 0; i < extra_count; i++)
        free((void *)(uintptr_t)extras[i].data);
    for (size_t i = 0; i < root_count; i++)
        free((void *)(uintptr_t)roots[i].data);
}

int main(int argc, char **argv)
{
    if (NSS_NoDB_Init(NULL) != SECSuccess)
        base_abort("NSS cannot be initialised");
    for (int i = 1; i < argc; i++) {
        uint8_t *data;
        size_t size;
        char *error = NULL, *text, *rest, *line;

        if (!pkix_file_read(argv[i], &data, &size, &error))
            base_abort("%s", error);
        text = base_strndup((const char *)data, size);
        for (rest = text; (line = strsep(&rest, "\n")) != NULL;)
            if (line[0] != '\0')
                run_line(line);
        free(text);
        free(data);
    }
    if (NSS_Shutdown() != SECSuccess)
        base_abort("NSS references are still held");
    return 0;
}
