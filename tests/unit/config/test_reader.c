#include "config/config.h"
#include "config/reader.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

/* Events as text: "1[kind|name] 2key=value 3!message". */
static void note(void *ctx, char *event)
{
    char **all = ctx;
    char *longer = base_printf("%s%s%s", *all, **all == '\0' ? "" : " ", event);

    free(event);
    free(*all);
    *all = longer;
}

static void on_section(void *ctx, unsigned line, const char *kind, const char *name)
{
    note(ctx, base_printf("%u[%s|%s]", line, kind, name));
}

static void on_option(void *ctx, unsigned line, const char *key, const char *value)
{
    note(ctx, base_printf("%u%s=%s", line, key, value));
}

static void on_problem(void *ctx, unsigned line, enum reader_problem problem, const char *message)
{
    note(ctx, base_printf("%u!%s%s", line, problem == READER_PROBLEM_HEADER ? "header: " : "", message));
}

static char *read_all(struct span text)
{
    static const struct reader_events events = {on_section, on_option, on_problem};
    char *all = base_strdup("");

    reader_run(text, &events, &all);
    return all;
}

#define NO_EQUALS "!the line must be KEY = VALUE: the \"=\" is missing"

static void run_understands_lines(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"\n\n", ""},
        {"; a\n# b\n   ; c\n\t# d\n", ""},
        {"a=b", "1a=b"},
        {"a=b\n", "1a=b"},
        {"a=b\r\nc=d\r\n", "1a=b 2c=d"},
        {"\xef\xbb\xbf"
         "a=b",
         "1a=b"},
        {"  a \t=  b c \t\n", "1a=b c"},
        {"a=b ; comment", "1a=b"},
        {"a=b\t;comment", "1a=b"},
        {"a=b; no comment", "1a=b; no comment"},
        {"a=;", "1a=;"},
        {"a= ; all comment", "1a="},
        {"a=b # c", "1a=b # c"},
        {"a=b=c:d", "1a=b=c:d"},
        {"a=[b]", "1a=[b]"},
        {"a=", "1a="},
        /* An indented line is a line of its own, not more of the value above. */
        {"a=b\n  c=d\n", "1a=b 2c=d"},
        {"a=b\n  [x y]\n  c=d\n", "1a=b 2[x|y] 3c=d"},
        {"id=pkcs11:token=Mail;object=imap;type=private ; comment", "1id=pkcs11:token=Mail;object=imap;type=private"},
        {"[yett]", "1[yett|]"},
        {"[ service  a b ] ; c", "1[service|a b]"},
        {"[module hsm];c", "1[module|hsm]"},
        {"[]", "1[|]"},
        {"[a", "1!header: a section is [yett], [control], [module NAME] or [service NAME]: the \"]\" is missing"},
        {"[a] b", "1!header: nothing but a comment may follow the \"]\" of a section"},
        {"[a]b", "1!header: nothing but a comment may follow the \"]\" of a section"},
        {"[a]]", "1!header: nothing but a comment may follow the \"]\" of a section"},
        /* A name longer than inih's 49 bytes stays whole. */
        {"[service aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff]",
         "1[service|aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff]"},
        {"listen\n", "1" NO_EQUALS},
        {"listen 127.0.0.1:25\n", "1" NO_EQUALS},
        {"listen: 127.0.0.1:25\n", "1" NO_EQUALS},
        {"listen ; = 1\na=b", "1" NO_EQUALS " 2a=b"},
        {"listen ; = 1", "1" NO_EQUALS},
        {"= b", "1!the line must be KEY = VALUE: the key is missing"},
        {"a=b\x01", "1!the line has control bytes in it"},
        {"a=b\rc=d\r\re=f", "1a=b 2c=d 4e=f"},
        {"a=b\n\r\nc=d", "1a=b 3c=d"},
        {"a=\xef\xbb\xbf"
         "b",
         "1a=\xef\xbb\xbf"
         "b"},
        {"a=\x7f", "1!the line has control bytes in it"},
        {"[a\x01]", "1!header: the line has control bytes in it"},
        {"a=\xc3\xbc", "1a=\xc3\xbc"},
        {"x\ny\nz", "1" NO_EQUALS " 2" NO_EQUALS " 3" NO_EQUALS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *got = read_all(span_of_string(cases[i].text));

        assert_string_equal(got, cases[i].want);
        free(got);
    }
}

static void run_refuses_nul_bytes(void **state)
{
    char *got = read_all(span_of("a=b\0c\nd=e", 9));

    (void)state;
    assert_string_equal(got, "1!the line has control bytes in it 2d=e");
    free(got);
    got = read_all(span_of("; a\0b\nd=e", 9));
    assert_string_equal(got, "1!the line has control bytes in it 2d=e");
    free(got);
    got = read_all(span_of("\xff\xfe"
                           "a\0=\0b\0",
                           8));
    assert_string_equal(got, "0!the file is UTF-16; save it as UTF-8 or ASCII");
    free(got);
}

/* inih cuts or splits what does not fit into its buffer, and the rest of a value would be read as a line. */
static void run_refuses_lines_that_do_not_fit(void **state)
{
    static const size_t sizes[] = {198,
                                   199,
                                   200,
                                   201,
                                   400,
                                   CONFIG_LINE_BYTES_MAX - 1,
                                   CONFIG_LINE_BYTES_MAX,
                                   CONFIG_LINE_BYTES_MAX + 1,
                                   CONFIG_LINE_BYTES_MAX + 2,
                                   2 * CONFIG_LINE_BYTES_MAX,
                                   CONFIG_FILE_BYTES_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *line = base_alloc(sizes[i] + sizeof("\nz=1"));
        char *want, *got;

        memset(line, 'x', sizes[i]);
        memcpy(line, "a=", 2);
        memcpy(line + sizes[i], "\nz=1", sizeof("\nz=1"));
        got = read_all(span_of_string(line));
        if (sizes[i] <= CONFIG_LINE_BYTES_MAX)
            want = base_printf("1%.*s 2z=1", (int)sizes[i], line);
        else
            want = base_printf("1!the line is longer than %d bytes 2z=1", CONFIG_LINE_BYTES_MAX);
        assert_string_equal(got, want);
        free(want);
        free(got);
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_understands_lines),
        cmocka_unit_test(run_refuses_nul_bytes),
        cmocka_unit_test(run_refuses_lines_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
