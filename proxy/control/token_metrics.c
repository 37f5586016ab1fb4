/* see proxy/control/token_metrics.h */
#include "proxy/control/token_metrics.h"

#include "proxy/control/metrics_print.h"

#include <string.h>

/* One token at a time. */
struct shown {
    FILE *out;
    const char *module;
    const json_t *token;
};

struct token_metric {
    const char *name, *key, *help;
};

static const struct token_metric gauges[] = {
    {"token_sessions_open", "sessions_open", "Sessions with the token"},
    {"token_sessions_limit", "sessions_limit", "Sessions that the token may have now"},
    {"token_busy", "busy", "Signatures and logins that the token works at"},
    {"token_queue", "queued", "Signatures that wait for the token"},
};

static const struct token_metric counters[] = {
    {"token_signatures_total", "signatures", "Signatures made by the token"},
    {"token_timeouts_total", "timeouts", "Signatures given up at their deadline while the token had them"},
};

/* The standings of a PIN, and that somebody has logged out. */
static const char *const pins[] = {"untried", "right", "unknown", "held", "incorrect", "locked", "logged_out"};

static void labels(const struct shown *s, const char *name, const char *suffix)
{
    fprintf(s->out, "yett_%s%s{module=\"", name, suffix);
    metrics_print_escaped(s->out, s->module);
    fputs("\",token=\"", s->out);
    metrics_print_escaped(s->out, metrics_text_of(s->token, "label"));
    fputs("\",serial=\"", s->out);
    metrics_print_escaped(s->out, metrics_text_of(s->token, "serial"));
    fputc('"', s->out);
}

static void value(const struct shown *s, json_int_t number)
{
    fprintf(s->out, "} %" JSON_INTEGER_FORMAT "\n", number);
}

static void each(FILE *out, const json_t *modules, void (*print)(const struct shown *s, const void *what),
                 const void *what)
{
    size_t i, k;
    json_t *module, *token;

    json_array_foreach(modules, i, module)
    {
        json_array_foreach(json_object_get(module, "tokens"), k, token)
        {
            const struct shown s = {out, metrics_text_of(module, "name"), token};

            print(&s, what);
        }
    }
}

static void print_number(const struct shown *s, const void *what)
{
    const struct token_metric *m = what;

    labels(s, m->name, "");
    value(s, json_integer_value(json_object_get(s->token, m->key)));
}

static void print_present(const struct shown *s, const void *what)
{
    (void)what;
    labels(s, "token_present", "");
    value(s, json_is_true(json_object_get(s->token, "present")));
}

static void print_pin(const struct shown *s, const void *what)
{
    (void)what;
    for (size_t i = 0; i < ARRAY_LEN(pins); i++) {
        labels(s, "token_pin", "");
        fprintf(s->out, ",standing=\"%s\"", pins[i]);
        value(s, strcmp(metrics_text_of(s->token, "pin"), pins[i]) == 0);
    }
}

static void print_failures(const struct shown *s, const void *what)
{
    size_t i;
    json_t *code;

    (void)what;
    json_array_foreach(json_object_get(s->token, "failures_by_code"), i, code)
    {
        labels(s, "token_failures_total", "");
        fprintf(s->out, ",code=\"%s\",number=\"%s\"", metrics_text_of(code, "code"), metrics_text_of(code, "number"));
        value(s, json_integer_value(json_object_get(code, "count")));
    }
}

static void print_histogram(const struct shown *s, const void *what)
{
    const json_t *seconds = json_object_get(s->token, "signature_seconds");
    json_int_t count = json_integer_value(json_object_get(seconds, "count"));
    size_t i;
    json_t *bucket;

    json_array_foreach(json_object_get(seconds, "buckets"), i, bucket)
    {
        labels(s, what, "_bucket");
        fprintf(s->out, ",le=\"%g\"", json_real_value(json_object_get(bucket, "le")));
        value(s, json_integer_value(json_object_get(bucket, "count")));
    }
    labels(s, what, "_bucket");
    fputs(",le=\"+Inf\"", s->out);
    value(s, count);
    labels(s, what, "_sum");
    fprintf(s->out, "} %.6f\n", json_real_value(json_object_get(seconds, "sum")));
    labels(s, what, "_count");
    value(s, count);
}

static bool have_tokens(const json_t *modules)
{
    size_t i;
    json_t *module;

    json_array_foreach(modules, i, module)
    {
        if (json_array_size(json_object_get(module, "tokens")) > 0)
            return true;
    }
    return false;
}

void token_metrics_print(FILE *out, const json_t *modules)
{
    static const char seconds[] = "token_signature_seconds";

    if (!have_tokens(modules))
        return;
    metrics_print_head(out, "token_present", "Whether the token is there", "gauge");
    each(out, modules, print_present, NULL);
    metrics_print_head(out, "token_pin", "Which standing the token's PIN has", "gauge");
    each(out, modules, print_pin, NULL);
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++) {
        metrics_print_head(out, gauges[i].name, gauges[i].help, "gauge");
        each(out, modules, print_number, &gauges[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
        metrics_print_head(out, counters[i].name, counters[i].help, "counter");
        each(out, modules, print_number, &counters[i]);
    }
    metrics_print_head(out, "token_failures_total", "What the token failed at, by its CKR_ code", "counter");
    each(out, modules, print_failures, NULL);
    metrics_print_head(out, seconds, "How long the token took to make a signature", "histogram");
    each(out, modules, print_histogram, seconds);
}
