/* see config/config.h: from a snapshot to a struct config */
#include "config/checks.h"
#include "config/doors.h"
#include "config/kinds.h"
#include "config/reader.h"
#include "config/snapshot.h"

#include <stdlib.h>

struct parser {
    struct config *config;
    struct section *sections;
    size_t section_count;
    struct config_findings *findings;
    size_t file; /* index of the one being read */
    enum { NOWHERE /* before any section */, SKIPPED /* in one that is not understood */, INSIDE } where;
    size_t current; /* index of the section when INSIDE */
};

static struct config_place place_at(const struct parser *p, unsigned line)
{
    return (struct config_place){.file = p->config->files[p->file], .line = line};
}

static void *section_target(const struct parser *p, const struct section *s)
{
    switch (s->kind) {
    case OPTION_YETT:
    case OPTION_CONTROL_ROLES:
        return p->config;
    case OPTION_MODULE:
        return &p->config->modules[s->index];
    case OPTION_SERVICE:
        return &p->config->services[s->index];
    case OPTION_SECTION_COUNT:
        break;
    }
    base_abort("no such kind of section: %d", (int)s->kind);
}

static void section_clear(enum option_section kind, void *target, char **name)
{
    options_clear(kind, target);
    free(*name);
}

void config_destroy(struct config **c)
{
    struct config *config = *c;

    if (config == NULL)
        return;
    for (size_t i = 0; i < config->service_count; i++)
        section_clear(OPTION_SERVICE, &config->services[i], &config->services[i].name);
    for (size_t i = 0; i < config->module_count; i++)
        section_clear(OPTION_MODULE, &config->modules[i], &config->modules[i].name);
    options_clear(OPTION_YETT, config);
    options_clear(OPTION_CONTROL_ROLES, config);
    for (size_t i = 0; i < config->file_count; i++)
        free(config->files[i]);
    free(config->files);
    text_index_clear(&config->service_index);
    doors_clear(config);
    free(config->services);
    free(config->modules);
    free(config);
    *c = NULL;
}

size_t config_service_find(const struct config *config, const char *name)
{
    ptrdiff_t index = text_index_find(&config->service_index, name);

    return index == TEXT_INDEX_NONE ? config->service_count : (size_t)index;
}

/* Whether there is one of that kind, without a name. */
static bool is_single(int kind)
{
    return kind == OPTION_YETT || kind == OPTION_CONTROL_ROLES;
}

static enum option_section kind_of_name(const char *name)
{
    int kind = 0;

    while (strcmp(option_section_name((enum option_section)kind), name) != 0)
        kind++;
    return (enum option_section)kind;
}

/* The kind a header names, or OPTION_SECTION_COUNT with a finding. */
static enum option_section header_kind(struct parser *p, struct config_place place, const char *kind, const char *name)
{
    const char *names[OPTION_SECTION_COUNT];
    const char *nearest;
    char *quoted;

    for (int i = 0; i < OPTION_SECTION_COUNT; i++) {
        names[i] = option_section_name((enum option_section)i);
        if (strcmp(kind, names[i]) != 0)
            continue;
        if (is_single(i) ? *name == '\0' : value_is_name(name, CONFIG_NAME_BYTES_MAX))
            return (enum option_section)i;
        if (is_single(i))
            config_finding_add(p->findings, place, "the section is [%s], without a name", kind);
        else
            config_finding_add(p->findings, place,
                               "the section must be %s, with a name of 1 to %d letters, digits, '.', '_' or '-'",
                               option_section_text((enum option_section)i), CONFIG_NAME_BYTES_MAX);
        return OPTION_SECTION_COUNT;
    }
    nearest = value_nearest(kind, names, OPTION_SECTION_COUNT);
    quoted = value_quote(kind);
    if (nearest == NULL)
        config_finding_add(p->findings, place,
                           "there is no section %s: they are [yett], [control], [module NAME], "
                           "[service NAME]",
                           quoted);
    else
        config_finding_add(p->findings, place, "there is no section %s; did you mean %s?", quoted,
                           option_section_text(kind_of_name(nearest)));
    free(quoted);
    return OPTION_SECTION_COUNT;
}

static const char *section_name(const struct parser *p, const struct section *s)
{
    return s->kind == OPTION_MODULE    ? p->config->modules[s->index].name
           : s->kind == OPTION_SERVICE ? p->config->services[s->index].name
                                       : "";
}

/* NULL: there is none yet. */
static const struct config_place *section_place(const struct parser *p, enum option_section kind, const char *name)
{
    if (kind == OPTION_SERVICE) {
        size_t service = config_service_find(p->config, name);

        return service == p->config->service_count ? NULL : &p->config->services[service].place;
    }
    for (size_t i = 0; i < p->section_count; i++) {
        const struct section *s = &p->sections[i];

        if (s->kind == kind && strcmp(section_name(p, s), name) == 0)
            return &s->place;
    }
    return NULL;
}

/* Whether the section is there already; then with a finding. */
static bool section_is_known(struct parser *p, enum option_section kind, const char *name, struct config_place place)
{
    const struct config_place *before = section_place(p, kind, name);

    if (before != NULL)
        config_finding_add(p->findings, place, "the section [%s%s%s] is already at %s:%u", option_section_name(kind),
                           *name == '\0' ? "" : " ", name, before->file, before->line);
    return before != NULL;
}

static size_t service_add(struct config *c, const char *name, struct config_place place)
{
    struct config_service *service;

    c->services = base_realloc_array(c->services, c->service_count + 1, sizeof(*c->services));
    service = &c->services[c->service_count];
    *service = (struct config_service){.name = base_strdup(name), .place = place};
    options_default(OPTION_SERVICE, service, place);
    text_index_add(&c->service_index, service->name, c->service_count);
    return c->service_count++;
}

static size_t module_add(struct config *c, const char *name, struct config_place place)
{
    struct config_module *module;

    c->modules = base_realloc_array(c->modules, c->module_count + 1, sizeof(*c->modules));
    module = &c->modules[c->module_count];
    *module = (struct config_module){.name = base_strdup(name), .place = place};
    options_default(OPTION_MODULE, module, place);
    return c->module_count++;
}

static void on_section(void *ctx, unsigned line, const char *kind_text, const char *name)
{
    struct parser *p = ctx;
    struct config_place place = place_at(p, line);
    enum option_section kind = header_kind(p, place, kind_text, name);
    struct section *s;

    p->where = SKIPPED;
    if (kind == OPTION_SECTION_COUNT || section_is_known(p, kind, name, place))
        return;
    if ((kind == OPTION_SERVICE && p->config->service_count == CONFIG_SERVICES_MAX) ||
        (kind == OPTION_MODULE && p->config->module_count == CONFIG_MODULES_MAX)) {
        config_finding_add(p->findings, place, "there are more than %d sections %s",
                           kind == OPTION_SERVICE ? CONFIG_SERVICES_MAX : CONFIG_MODULES_MAX,
                           option_section_text(kind));
        return;
    }
    p->sections = base_realloc_array(p->sections, p->section_count + 1, sizeof(*p->sections));
    s = &p->sections[p->section_count];
    *s = (struct section){.kind = kind, .place = place};
    if (kind == OPTION_SERVICE)
        s->index = service_add(p->config, name, place);
    if (kind == OPTION_MODULE)
        s->index = module_add(p->config, name, place);
    p->current = p->section_count++;
    p->where = INSIDE;
}

/* What no value may look like, whatever its kind. Returns a sentence, or NULL. */
static const char *value_mistake(const char *value)
{
    if (*value == '\0')
        return "a value is missing after the \"=\"";
    if (*value == '"' || *value == '\'')
        return "values are written without quotes";
    if (strstr(value, " #") != NULL || strstr(value, "\t#") != NULL)
        return "a comment after a value begins with \";\", not with \"#\"";
    return NULL;
}

static void option_set(struct parser *p, struct section *s, const struct option *o, struct config_place place,
                       const char *value)
{
    void *target = section_target(p, s);
    size_t id = (size_t)(o - config_options);
    const char *mistake = value_mistake(value);
    char *error = NULL;

    s->lines[id] = place.line;
    o->kind->clear(o, target);
    s->bad[id] = mistake != NULL || !o->kind->parse(o, target, place, value, &error);
    if (s->bad[id])
        config_finding_add(p->findings, place, "%s: %s", o->name, mistake != NULL ? mistake : error);
    free(error);
}

/* The option that a misspelt key was meant for is there, with a value that nobody knows: that it is missing, or what
 * its default is at odds with, would be told beside the one mistake there is, and before it. */
static void note_meant(struct section *s, const char *key)
{
    const struct option *meant = option_meant(s->kind, key);

    if (meant != NULL && s->lines[meant - config_options] == 0)
        s->bad[meant - config_options] = true;
}

static void on_option(void *ctx, unsigned line, const char *key, const char *value)
{
    struct parser *p = ctx;
    struct config_place place = place_at(p, line);
    const struct option *o;
    struct section *s;
    char *unknown;

    if (p->where == SKIPPED)
        return;
    if (p->where == NOWHERE) {
        config_finding_add(p->findings, place,
                           "the first line must be a section: [yett], [control], [module NAME] or [service NAME]");
        p->where = SKIPPED;
        return;
    }
    s = &p->sections[p->current];
    o = option_find(s->kind, key);
    if (o == NULL) {
        unknown = option_unknown(s->kind, key);
        config_finding_add(p->findings, place, "%s", unknown);
        free(unknown);
        note_meant(s, key);
    } else if (s->lines[o - config_options] != 0) {
        config_finding_add(p->findings, place, "%s is already given in line %u", o->name, s->lines[o - config_options]);
    } else if (o == &config_options[OPTION_INCLUDE] && p->file != 0) {
        config_finding_add(p->findings, place, "include: only %s itself may include files", p->config->files[0]);
    } else {
        option_set(p, s, o, place, value);
    }
}

static void on_problem(void *ctx, unsigned line, enum reader_problem problem, const char *message)
{
    struct parser *p = ctx;

    config_finding_add(p->findings, place_at(p, line), "%s", message);
    if (problem == READER_PROBLEM_HEADER)
        p->where = SKIPPED;
}

static void required_check(const struct parser *p)
{
    for (size_t i = 0; i < p->section_count; i++)
        for (size_t id = 0; id < OPTION_COUNT; id++)
            if (config_options[id].section == p->sections[i].kind && config_options[id].need == OPTION_REQUIRED &&
                p->sections[i].lines[id] == 0 && !p->sections[i].bad[id])
                config_finding_add(p->findings, p->sections[i].place, "%s is missing: %s", config_options[id].name,
                                   config_options[id].help);
}

static struct config *parse(const struct config_snapshot *s, bool wants_services, struct config_findings *findings)
{
    static const struct reader_events events = {on_section, on_option, on_problem};
    size_t findings_before = findings->count;
    struct config *config = base_alloc(sizeof(*config));
    struct parser p = {.config = config, .findings = findings};

    config->files = base_alloc(s->count * sizeof(*config->files));
    for (; config->file_count < s->count; config->file_count++)
        config->files[config->file_count] = base_strdup(s->files[config->file_count].name);
    options_default(OPTION_YETT, config, (struct config_place){.file = config->files[0]});
    options_default(OPTION_CONTROL_ROLES, config, (struct config_place){.file = config->files[0]});
    for (p.file = 0; p.file < s->count; p.file++) {
        p.where = NOWHERE;
        reader_run(span_of(s->files[p.file].text, s->files[p.file].size), &events, &p);
    }
    required_check(&p);
    checks_run(config, p.sections, p.section_count, findings);
    free(p.sections);
    if (wants_services && config->service_count == 0 && findings->count == findings_before)
        config_finding_add(findings, (struct config_place){.file = config->files[0]},
                           "there is no section [service NAME]: nothing would be listened on");
    findings_sort(findings, findings_before, config->files, config->file_count);
    if (findings->count != findings_before)
        config_destroy(&config);
    return config;
}

struct config *config_parse(const struct config_snapshot *s, struct config_findings *findings)
{
    return parse(s, true, findings);
}

struct config *config_parse_for_commands(const struct config_snapshot *s, struct config_findings *findings)
{
    return parse(s, false, findings);
}
