/* see proxy/control/metrics.h */
#include "proxy/control/metrics.h"

#include "proxy/control/metrics_print.h"
#include "proxy/control/token_metrics.h"
#include "proxy/process/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A metric that each object of a list has. */
struct metric {
    const char *name; /* without yett_ */
    const char *key;  /* in the object */
    const char *help;
};

static const struct metric module_metrics[] = {
    {"module_signatures_total", "signatures", "Signatures made by the module's tokens"},
    {"module_failures_total", "failures", "Signatures that failed"},
    {"module_timeouts_total", "timeouts", "Signatures given up at their deadline"},
    {"module_refused_total", "refused", "Signatures refused because the queue was full"},
    {"module_logins_total", "logins", "PINs tried"},
    {"module_restarts_total", "restarts", "Times the module's agent died and was started again"},
};

static const struct metric process_metrics[] = {
    {"uptime_seconds", "uptime_seconds", "Seconds since yett started"},
    {"generation", "generation", "Number of the configuration generation in service"},
    {"worker_deaths_total", "worker_deaths", "Workers that ended without having been told to"},
    {"reloads_total", "reloads", "Configurations read, the first one included"},
    {"reloads_failed_total", "reloads_failed", "Of these, refused"},
};

void metrics_print_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            fputs("\\n", out);
            continue;
        }
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
}

void metrics_print_head(FILE *out, const char *name, const char *help, const char *type)
{
    fprintf(out, "# HELP yett_%s %s\n# TYPE yett_%s %s\n", name, help, name, type);
}

static void print_head(FILE *out, const char *name, const char *help, bool gauge)
{
    metrics_print_head(out, name, help, gauge ? "gauge" : "counter");
}

static void print_labels(FILE *out, const char *name, const char *label, const char *value)
{
    fprintf(out, "yett_%s{%s=\"", name, label);
    metrics_print_escaped(out, value);
    fputs("\"} ", out);
}

static void print_labelled(FILE *out, const char *name, const char *label, const char *value, json_int_t number)
{
    print_labels(out, name, label, value);
    fprintf(out, "%" JSON_INTEGER_FORMAT "\n", number);
}

/* A number of an object, whole or not. */
static void print_number(FILE *out, const json_t *number)
{
    if (json_is_real(number))
        fprintf(out, "%.6f\n", json_real_value(number));
    else
        fprintf(out, "%" JSON_INTEGER_FORMAT "\n", json_integer_value(number));
}

const char *metrics_text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool is_total(const char *name)
{
    static const char suffix[] = "_total";
    size_t size = strlen(name);

    return size > sizeof(suffix) - 1 && strcmp(name + size - (sizeof(suffix) - 1), suffix) == 0;
}

static void print_services(FILE *out, const json_t *services)
{
    for (enum counter which = 0; which < COUNTER_COUNT; which++) {
        size_t i;
        json_t *service;

        print_head(out, counter_name(which), counter_help(which), counter_is_gauge(which));
        json_array_foreach(services, i, service)
        {
            print_labels(out, counter_name(which), "service", metrics_text_of(service, "name"));
            print_number(out, json_object_get(json_object_get(service, "counters"), counter_name(which)));
        }
    }
}

static void print_modules(FILE *out, const json_t *modules)
{
    size_t i;
    json_t *module;

    if (json_array_size(modules) == 0)
        return;
    for (size_t m = 0; m < ARRAY_LEN(module_metrics); m++) {
        print_head(out, module_metrics[m].name, module_metrics[m].help, false);
        json_array_foreach(modules, i, module)
            print_labelled(out, module_metrics[m].name, "module", metrics_text_of(module, "name"),
                           number_of(module, module_metrics[m].key));
    }
    print_head(out, "module_ready", "Whether the module's agent is ready", true);
    json_array_foreach(modules, i, module)
        print_labelled(out, "module_ready", "module", metrics_text_of(module, "name"),
                       strcmp(metrics_text_of(module, "state"), "ready") == 0);
}

static void print_workers(FILE *out, const json_t *workers)
{
    static const char *const states[] = {"starting", "ready", "draining", "stopping"};

    print_head(out, "workers", "Worker processes, by state", true);
    for (size_t s = 0; s < ARRAY_LEN(states); s++) {
        json_int_t count = 0;
        size_t i;
        json_t *worker;

        json_array_foreach(workers, i, worker) count += strcmp(metrics_text_of(worker, "state"), states[s]) == 0;
        print_labelled(out, "workers", "state", states[s], count);
    }
}

/* Only where a service goes by them. */
static void print_roots(FILE *out, const json_t *roots)
{
    if (roots == NULL)
        return;
    print_head(out, "mozilla_roots_age_seconds", "Age of what is known of Mozilla's list of roots", true);
    fprintf(out, "yett_mozilla_roots_age_seconds %" JSON_INTEGER_FORMAT "\n", number_of(roots, "age_seconds"));
}

char *metrics_text(const json_t *status)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        base_abort("out of memory (metrics)");
    print_head(out, "info", "The version that runs", true);
    print_labelled(out, "info", "version", metrics_text_of(status, "version"), 1);
    for (size_t m = 0; m < ARRAY_LEN(process_metrics); m++) {
        print_head(out, process_metrics[m].name, process_metrics[m].help, !is_total(process_metrics[m].name));
        fprintf(out, "yett_%s %" JSON_INTEGER_FORMAT "\n", process_metrics[m].name,
                number_of(status, process_metrics[m].key));
    }
    print_roots(out, json_object_get(status, "roots"));
    print_workers(out, json_object_get(status, "workers"));
    print_services(out, json_object_get(status, "services"));
    print_modules(out, json_object_get(status, "modules"));
    token_metrics_print(out, json_object_get(status, "modules"));
    if (fclose(out) != 0)
        base_abort("out of memory (metrics)");
    return text;
}
