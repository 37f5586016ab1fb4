/* "yett cert list" and "show". See proxy/commands/cmd_cert_internal.h */
#include "proxy/commands/cmd_cert_internal.h"
#include "base/text.h"
#include "tls/manage/database.h"
#include "tls/runtime.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *entry_json(const struct tls_database_entry *e)
{
    char from[BASE_TEXT_TIME_SIZE], until[BASE_TEXT_TIME_SIZE];
    json_t *trust = json_array();

    (void)base_text_time(e->not_before, from);
    (void)base_text_time(e->not_after, until);
    if (e->trust & TLS_DATABASE_TRUST_SERVER)
        json_array_append_new(trust, json_string("server"));
    if (e->trust & TLS_DATABASE_TRUST_CLIENT)
        json_array_append_new(trust, json_string("client"));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o}", "sha256", e->sha256, "subject",
                     e->subject, "issuer", e->issuer, "serial", e->serial, "names", e->sans, "not_before", from,
                     "not_after", until, "key", e->key, "has_key", e->has_key, "ca", e->is_ca, "trust", trust);
}

static void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(value);
}

static void print_line(const struct tls_database_entry *e)
{
    static const char *const trusts[] = {"", ", trusted for servers", ", trusted for clients",
                                         ", trusted for servers and clients"};
    char until[BASE_TEXT_TIME_SIZE];

    (void)base_text_time(e->not_after, until);
    printf("sha256=%s\n    %s, %s%s%s%s, until %s\n", e->sha256, e->subject, e->key, e->has_key ? " with its key" : "",
           e->is_ca ? ", authority" : "", trusts[e->trust], until);
}

int cmd_cert_list(void *options)
{
    const struct cert_options *o = options;
    struct tls_database_list list;
    char *error = NULL;
    json_t *array;

    if (!cert_database_open(o, CERT_LOOK, &error))
        return subcommand_failed(&o->line, &error);
    if (!tls_database_list(&list, &error))
        return cert_database_close(o, subcommand_failed(&o->line, &error));
    if (o->json) {
        array = json_array();
        for (size_t i = 0; i < list.count; i++)
            json_array_append_new(array, entry_json(&list.entries[i]));
        print_json(array);
    } else {
        for (size_t i = 0; i < list.count; i++)
            print_line(&list.entries[i]);
    }
    tls_database_list_clear(&list);
    return cert_database_close(o, SUBCOMMAND_DONE);
}

static void show_entry(const struct cert_options *o, const struct tls_database_entry *entry)
{
    char *text, *pem;

    if (o->json) {
        print_json(entry_json(entry));
        return;
    }
    text = tls_database_entry_text(entry);
    pem = base_pem_encode(cert_label, span_of(entry->der, entry->size));
    printf("%s%s", text, pem);
    free(text);
    free(pem);
}

static bool show_file(const struct cert_options *o, const char *path, char **error)
{
    struct tls_pem pem;
    bool ok;

    if (!tls_pem_read_file(path, &tls_pem_certificates, BASE_FILE_ANY, &pem, error))
        return false;
    ok = true;
    for (size_t i = 0; ok && i < pem.count; i++) {
        struct tls_database_entry entry;

        if (i > 0 && !o->json)
            putchar('\n');
        ok = tls_database_describe(span_of(pem.blocks[i].der, pem.blocks[i].size), &entry, error);
        if (ok) {
            show_entry(o, &entry);
            tls_database_entry_clear(&entry);
        }
    }
    tls_pem_clear(&pem);
    return ok;
}

int cmd_cert_show(void *options)
{
    const struct cert_options *o = options;
    const char *what = o->line.arguments[0];
    struct tls_database_entry entry;
    char *error = NULL;
    bool shown;

    if (cert_is_fingerprint(what)) {
        if (!cert_database_open(o, CERT_LOOK, &error))
            return subcommand_failed(&o->line, &error);
        shown = tls_database_find(cert_fingerprint_of(what), &entry, &error);
        if (shown) {
            show_entry(o, &entry);
            tls_database_entry_clear(&entry);
        }
    } else {
        if (!tls_runtime_start(&(struct tls_runtime_options){.database = NULL}, &error))
            return subcommand_failed(&o->line, &error);
        shown = show_file(o, what, &error);
    }
    return cert_database_close(o, shown ? SUBCOMMAND_DONE : subcommand_failed(&o->line, &error));
}
