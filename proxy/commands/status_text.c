/* see proxy/commands/status_text.h */
#include "proxy/commands/status_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS_PER_DAY = 86400 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "-" : text;
}

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));

    return number < 0 ? 0 : (uint64_t)number;
}

const char *status_text_duration(uint64_t seconds, char out[STATUS_DURATION_SIZE])
{
    if (seconds < 60)
        snprintf(out, STATUS_DURATION_SIZE, "%" PRIu64 " s", seconds);
    else if (seconds < 3600)
        snprintf(out, STATUS_DURATION_SIZE, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        snprintf(out, STATUS_DURATION_SIZE, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds % 3600 / 60);
    else
        snprintf(out, STATUS_DURATION_SIZE, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400, seconds % 86400 / 3600);
    return out;
}

const char *status_text_bytes(uint64_t bytes, char out[STATUS_BYTES_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double amount = (double)bytes;
    size_t unit = 0;

    while (amount >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        amount /= 1024;
        unit++;
    }
    snprintf(out, STATUS_BYTES_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
    return out;
}

/* The strings of a list, joined by ", "; owned by the caller. */
static char *joined(const json_t *list)
{
    char *text = base_strdup("");
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        char *longer = base_printf("%s%s%s", text, i == 0 ? "" : ", ", json_string_value(item));

        free(text);
        text = longer;
    }
    return text;
}

static void print_workers(const json_t *workers, FILE *out)
{
    char duration[STATUS_DURATION_SIZE];
    size_t i;
    json_t *w;

    fprintf(out, "\n%-7s %8s %11s %-9s %-14s %s\n", "WORKER", "PID", "GENERATION", "STATE", "FOR", "HELD BY");
    json_array_foreach(workers, i, w)
        fprintf(out, "%-7" PRIu64 " %8" PRIu64 " %11" PRIu64 " %-9s %-14s %s\n", number_of(w, "slot"),
                number_of(w, "pid"), number_of(w, "generation"), text_of(w, "state"),
                status_text_duration(number_of(w, "uptime_seconds"), duration), text_of(w, "sandbox"));
}

static uint64_t sum_of_services(const json_t *services, const char *counter)
{
    uint64_t sum = 0;
    size_t i;
    json_t *s;

    json_array_foreach(services, i, s)
    {
        sum += number_of(json_object_get(s, "counters"), counter);
    }
    return sum;
}

static void print_services(const json_t *services, FILE *out)
{
    size_t i;
    json_t *s;

    fprintf(out, "\n%-20s %8s %10s %12s %8s %12s %12s  %s\n", "SERVICE", "OPEN", "TOTAL", "HANDSHAKES", "FAILED",
            "RECEIVED", "SENT", "LISTENS AT");
    json_array_foreach(services, i, s)
    {
        const json_t *c = json_object_get(s, "counters");
        char received[STATUS_BYTES_SIZE], sent[STATUS_BYTES_SIZE];
        char *listen = joined(json_object_get(s, "listen"));

        fprintf(out, "%-20s %8" PRIu64 " %10" PRIu64 " %12" PRIu64 " %8" PRIu64 " %12s %12s  %s\n", text_of(s, "name"),
                number_of(c, "connections_open"), number_of(c, "connections_total"),
                number_of(c, "handshakes_server_total") + number_of(c, "handshakes_client_total"),
                number_of(c, "sessions_failed_total"),
                status_text_bytes(number_of(c, "client_received_bytes_total"), received),
                status_text_bytes(number_of(c, "client_sent_bytes_total"), sent), listen);
        free(listen);
        if (number_of(c, "targets_left_alone") > 0)
            fprintf(out,
                    "  %" PRIu64 " of its targets, counted in each worker, failed last and are tried behind the others "
                    "for a while: target_left_alone in the log\n",
                    number_of(c, "targets_left_alone"));
    }
}

static void print_modules(const json_t *modules, FILE *out)
{
    size_t i;
    json_t *m;

    if (json_array_size(modules) == 0)
        return;
    fprintf(out, "\n%-20s %8s %-9s %-10s %11s %9s  %s\n", "MODULE", "PID", "STATE", "PIN", "SIGNATURES", "FAILURES",
            "PATH");
    json_array_foreach(modules, i, m)
    {
        size_t k;
        json_t *token;

        fprintf(out, "%-20s %8" PRIu64 " %-9s %-10s %11" PRIu64 " %9" PRIu64 "  %s\n", text_of(m, "name"),
                number_of(m, "pid"), text_of(m, "state"), text_of(m, "pin"), number_of(m, "signatures"),
                number_of(m, "failures"), text_of(m, "path"));
        if (json_object_get(m, "reason") != NULL)
            fprintf(out, "  %s\n", text_of(m, "reason"));
        json_array_foreach(json_object_get(m, "tokens"), k, token)
            fprintf(out, "  token \"%s\": %s, PIN %s\n", text_of(token, "label"),
                    json_is_false(json_object_get(token, "present")) ? "gone" : "there", text_of(token, "pin"));
    }
}

static void print_roots(const json_t *roots, FILE *out)
{
    uint64_t days = number_of(roots, "age_seconds") / (uint64_t)SECONDS_PER_DAY;

    fprintf(out, "Mozilla's roots are as of %s, %" PRIu64 " day%s ago%s\n", text_of(roots, "date"), days,
            days == 1 ? "" : "s", json_is_true(json_object_get(roots, "kept")) ? ", by yett trust update" : "");
}

void status_text_print(const json_t *status, FILE *out)
{
    char duration[STATUS_DURATION_SIZE];

    /* How long it has been in another state is not known: the time is that since the start. */
    fprintf(out,
            strcmp(text_of(status, "state"), "running") == 0
                ? "yett %s, process %" PRIu64 ", %s for %s, generation %" PRIu64 "\n"
                : "yett %s, process %" PRIu64 ", %s, started %s ago, generation %" PRIu64 "\n",
            text_of(status, "version"), number_of(status, "pid"), text_of(status, "state"),
            status_text_duration(number_of(status, "uptime_seconds"), duration), number_of(status, "generation"));
    if (number_of(status, "worker_deaths") > 0 || number_of(status, "reloads_failed") > 0)
        fprintf(out, "%" PRIu64 " workers have died, %" PRIu64 " reloads were refused: the log says why\n",
                number_of(status, "worker_deaths"), number_of(status, "reloads_failed"));
    if (sum_of_services(json_object_get(status, "services"), "key_failures_total") > 0)
        fprintf(out,
                "%" PRIu64
                " sessions ended since a key of ours could not sign: the log says why (identity_unavailable)\n",
                sum_of_services(json_object_get(status, "services"), "key_failures_total"));
    if (strcmp(text_of(status, "accelerator"), "") != 0 && strcmp(text_of(status, "accelerator"), "none") != 0)
        fprintf(out, "NSS computes with %s\n", text_of(status, "accelerator"));
    if (number_of(status, "intermediates") > 0)
        fprintf(out, "%" PRIu64 " intermediates of verified peers are remembered\n",
                number_of(status, "intermediates"));
    if (json_object_get(status, "roots") != NULL)
        print_roots(json_object_get(status, "roots"), out);
    print_workers(json_object_get(status, "workers"), out);
    print_services(json_object_get(status, "services"), out);
    print_modules(json_object_get(status, "modules"), out);
}

void status_text_print_connections(const json_t *reply, FILE *out)
{
    const json_t *connections = json_object_get(reply, "connections");
    size_t i;
    json_t *c;

    if (json_array_size(connections) > 0)
        fprintf(out, "%-14s %-16s %-18s %-24s %-30s %10s %12s %12s  %s\n", "CONNECTION", "SERVICE", "STATE", "CLIENT",
                "TARGET", "AGE", "RECEIVED", "SENT", "SUBJECT");
    json_array_foreach(connections, i, c)
    {
        char age[STATUS_DURATION_SIZE], received[STATUS_BYTES_SIZE], sent[STATUS_BYTES_SIZE];
        char quoted[BASE_QUOTE_SIZE];
        const char *subject = text_of(c, "subject"); /* a peer's words: not for a terminal as they are */

        fprintf(out, "%-14s %-16s %-18s %-24s %-30s %10s %12s %12s  %s\n", text_of(c, "id"), text_of(c, "service"),
                text_of(c, "state"), text_of(c, "client"), text_of(c, "target"),
                status_text_duration(number_of(c, "age_ms") / 1000, age),
                status_text_bytes(number_of(c, "received_bytes"), received),
                status_text_bytes(number_of(c, "sent_bytes"), sent),
                json_object_get(c, "subject") == NULL ? subject
                                                      : base_quote(subject, strlen(subject), quoted, sizeof(quoted)));
    }
    fprintf(out, "%zu connection%s\n", json_array_size(connections), json_array_size(connections) == 1 ? "" : "s");
    if (number_of(reply, "left_out") > 0)
        fprintf(out, "%" PRIu64 " more are not shown\n", number_of(reply, "left_out"));
    if (json_is_false(json_object_get(reply, "complete")))
        fputs("a worker did not answer in time: some are missing\n", out);
}
