/* see proxy/commands/token_report.h */
#include "proxy/commands/token_report.h"

#include <jansson.h>
#include <stdlib.h>

/* --- both --- */

static json_t *flags_json(const struct tokens_flag_names *flags)
{
    json_t *array = json_array();

    for (size_t i = 0; i < flags->count; i++)
        json_array_append_new(array, json_string(flags->names[i]));
    return array;
}

static bool flushed(FILE *out, const char *sentence, char **error)
{
    if (fflush(out) == 0)
        return true;
    *error = base_strdup(sentence);
    return false;
}

/* --- the list --- */

static void take_listed(void *ctx, const struct tokens_listed *listed)
{
    json_t *token = json_pack("{s:s}", "uri", listed->uri), *objects = json_array();

    for (size_t i = 0; i < listed->object_count; i++)
        json_array_append_new(objects, json_string(listed->objects[i]));
    json_object_set_new(token, "flags", flags_json(&listed->flags));
    json_object_set_new(token, "objects", objects);
    json_array_append_new(ctx, token);
}

static void print_listed(const json_t *token, FILE *out)
{
    const json_t *flags = json_object_get(token, "flags"), *objects = json_object_get(token, "objects");

    fputs(json_string_value(json_object_get(token, "uri")), out);
    for (size_t i = 0; i < json_array_size(flags); i++)
        fprintf(out, "%s%s", i == 0 ? "  " : " ", json_string_value(json_array_get(flags, i)));
    fputc('\n', out);
    for (size_t i = 0; i < json_array_size(objects); i++)
        fprintf(out, "    %s\n", json_string_value(json_array_get(objects, i)));
}

bool token_report_list(struct tokens_module *module, FILE *out, enum token_report_form form, char **error)
{
    json_t *tokens = json_array();
    bool good = tokens_list(module, take_listed, tokens, error);

    if (good && form == TOKEN_REPORT_JSON && json_dumpf(tokens, out, JSON_INDENT(2)) == 0)
        fputc('\n', out);
    for (size_t i = 0; good && form == TOKEN_REPORT_TEXT && i < json_array_size(tokens); i++)
        print_listed(json_array_get(tokens, i), out);
    json_decref(tokens);
    return good && flushed(out, "cannot write the list", error);
}

/* --- all there is to know --- */

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
    if (value != TOKENS_UNTOLD)
        json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void take_module(void *ctx, const struct tokens_module_info *module)
{
    json_t *object = json_pack("{s:s}", "path", module->path);

    if (module->tells) {
        set_text(object, "description", module->description);
        set_text(object, "manufacturer", module->manufacturer);
        set_text(object, "version", module->version);
        set_text(object, "cryptoki_version", module->cryptoki_version);
    }
    json_object_set_new(object, "locking", json_boolean(module->locking));
    json_object_set_new(ctx, "module", object);
    json_object_set_new(ctx, "tokens", json_array());
}

static json_t *sessions_json(const struct tokens_token_info *token)
{
    json_t *sessions = json_object();

    set_number(sessions, "open", token->sessions.open);
    set_number(sessions, "read_write", token->sessions.read_write);
    set_number(sessions, "open_max", token->sessions.open_max);
    set_number(sessions, "read_write_max", token->sessions.read_write_max);
    return sessions;
}

static json_t *memory_json(const struct tokens_token_info *token)
{
    json_t *memory = json_object();

    set_number(memory, "public_total", token->memory.public_total);
    set_number(memory, "public_free", token->memory.public_free);
    set_number(memory, "private_total", token->memory.private_total);
    set_number(memory, "private_free", token->memory.private_free);
    return memory;
}

static json_t *mechanism_json(const struct tokens_mechanism_info *mechanism)
{
    json_t *object = json_pack("{s:s}", "name", mechanism->name);

    set_number(object, "key_size_min", mechanism->key_size_min);
    set_number(object, "key_size_max", mechanism->key_size_max);
    if (mechanism->tells)
        json_object_set_new(object, "flags", flags_json(&mechanism->flags));
    return object;
}

static void take_token(void *ctx, const struct tokens_token_info *token)
{
    json_t *object = json_pack("{s:s}", "uri", token->uri), *mechanisms = json_array();

    for (size_t i = 0; i < token->mechanism_count; i++)
        json_array_append_new(mechanisms, mechanism_json(&token->mechanisms[i]));
    set_text(object, "label", token->label);
    set_text(object, "manufacturer", token->manufacturer);
    set_text(object, "model", token->model);
    set_text(object, "serial", token->serial);
    set_text(object, "hardware_version", token->hardware_version);
    set_text(object, "firmware_version", token->firmware_version);
    json_object_set_new(object, "flags", flags_json(&token->flags));
    set_text(object, "login", token->login);
    json_object_set_new(object, "pin_length_min", json_integer((json_int_t)token->pin_length_min));
    json_object_set_new(object, "pin_length_max", json_integer((json_int_t)token->pin_length_max));
    json_object_set_new(object, "sessions", sessions_json(token));
    json_object_set_new(object, "memory", memory_json(token));
    json_object_set_new(object, "mechanisms", mechanisms);
    json_array_append_new(json_object_get(ctx, "tokens"), object);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "?" : text;
}

static void print_list(const json_t *array, FILE *out)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        fprintf(out, "%s%s", i == 0 ? "" : " ", json_string_value(json_array_get(array, i)));
}

static void print_numbers(const char *title, json_t *object, FILE *out)
{
    const char *key;
    json_t *value;
    bool first = true;

    if (json_object_size(object) == 0)
        return;
    fprintf(out, "  %-14s", title);
    json_object_foreach(object, key, value)
    {
        fprintf(out, "%s%s %lld", first ? "" : ", ", key, (long long)json_integer_value(value));
        first = false;
    }
    fputc('\n', out);
}

static void print_mechanism(const json_t *mechanism, FILE *out)
{
    const json_t *max = json_object_get(mechanism, "key_size_max");
    char sizes[64] = "";

    if (max != NULL)
        snprintf(sizes, sizeof(sizes), "%lld-%lld",
                 (long long)json_integer_value(json_object_get(mechanism, "key_size_min")),
                 (long long)json_integer_value(max));
    fprintf(out, "    %-32s %-12s ", text_of(mechanism, "name"), sizes);
    print_list(json_object_get(mechanism, "flags"), out);
    fputc('\n', out);
}

static void print_info_token(const json_t *token, FILE *out)
{
    const json_t *mechanisms = json_object_get(token, "mechanisms");

    fprintf(out, "\n%s\n", text_of(token, "uri"));
    fprintf(out, "  %-14s%s\n", "label", text_of(token, "label"));
    fprintf(out, "  %-14s%s, %s, serial number %s\n", "made by", text_of(token, "manufacturer"),
            text_of(token, "model"), text_of(token, "serial"));
    fprintf(out, "  %-14shardware %s, firmware %s\n", "versions", text_of(token, "hardware_version"),
            text_of(token, "firmware_version"));
    fprintf(out, "  %-14s", "flags");
    print_list(json_object_get(token, "flags"), out);
    fprintf(out, "\n  %-14s%s\n", "login", text_of(token, "login"));
    fprintf(out, "  %-14s%lld to %lld characters\n", "pin",
            (long long)json_integer_value(json_object_get(token, "pin_length_min")),
            (long long)json_integer_value(json_object_get(token, "pin_length_max")));
    print_numbers("sessions", json_object_get(token, "sessions"), out);
    print_numbers("memory", json_object_get(token, "memory"), out);
    fprintf(out, "  %zu mechanisms\n", json_array_size(mechanisms));
    for (size_t i = 0; i < json_array_size(mechanisms); i++)
        print_mechanism(json_array_get(mechanisms, i), out);
}

static void print_info(const json_t *info, FILE *out)
{
    const json_t *module = json_object_get(info, "module"), *tokens = json_object_get(info, "tokens");

    fprintf(out, "%s\n", text_of(module, "path"));
    fprintf(out, "  %-14s%s, version %s\n", "description", text_of(module, "description"), text_of(module, "version"));
    fprintf(out, "  %-14s%s\n", "made by", text_of(module, "manufacturer"));
    fprintf(out, "  %-14s%s\n", "PKCS#11", text_of(module, "cryptoki_version"));
    if (json_is_false(json_object_get(module, "locking")))
        fprintf(out, "  %-14scannot lock: its tokens sign one after the other\n", "threads");
    if (json_array_size(tokens) == 0)
        fputs("\nno token is there\n", out);
    for (size_t i = 0; i < json_array_size(tokens); i++)
        print_info_token(json_array_get(tokens, i), out);
}

bool token_report_info(struct tokens_module *module, const char *uri, FILE *out, enum token_report_form form,
                       char **error)
{
    json_t *info = json_object();
    const struct tokens_info_taker taker = {.ctx = info, .module = take_module, .token = take_token};
    bool good = tokens_info(module, uri, &taker, error);

    if (good && form == TOKEN_REPORT_JSON && json_dumpf(info, out, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0)
        fputc('\n', out);
    else if (good && form == TOKEN_REPORT_TEXT)
        print_info(info, out);
    json_decref(info);
    return good && flushed(out, "the information cannot be written", error);
}
