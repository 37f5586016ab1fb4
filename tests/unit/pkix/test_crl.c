/* Lists by themselves, before a verification asks for them: pkix/crl.h. */
#include "cert_builder.h"
#include "pkix/crl.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static void crl_of_a_hundred_thousand_entries_is_searched_by_halves(void **state)
{
    enum { ENTRIES = 100000 };
    uint8_t *list = base_alloc(ENTRIES * 22), *at = list;
    struct span tbs, der, number = builder_extension(OID_CRL_NUMBER, false, builder_integer(1));
    struct pkix_crl_info info;

    (void)state;
    for (unsigned i = 0; i < ENTRIES; i++) {
        const uint8_t entry[] = {0x30,
                                 0x14,
                                 0x02,
                                 0x03,
                                 (uint8_t)(1 + (i >> 16)),
                                 (uint8_t)(i >> 8),
                                 (uint8_t)i,
                                 0x17,
                                 0x0d,
                                 '2',
                                 '5',
                                 '0',
                                 '1',
                                 '0',
                                 '1',
                                 '0',
                                 '0',
                                 '0',
                                 '0',
                                 '0',
                                 '0',
                                 'Z'};

        memcpy(at, entry, sizeof(entry));
        at += sizeof(entry);
    }
    tbs = builder_tlv(ASN1_SEQUENCE, builder_integer(1), builder_ecdsa_sha256(), builder_name("ca"),
                      builder_time(builder_now), builder_time(builder_now + BUILDER_DAY),
                      builder_tlv(ASN1_SEQUENCE, span_of(list, (size_t)(at - list)), builder_end),
                      builder_tlv(0xa0, builder_tlv(ASN1_SEQUENCE, number, builder_end), builder_end), builder_end);
    free(list);
    der = builder_signed(tbs, builder_ecdsa_sha256(), builder_sign(tbs, 1));
    assert_int_equal(pkix_crl_info_read(der, &info), PKIX_OK);
    assert_int_equal(info.revoked_count, ENTRIES);
}

/* Lists of one issuer that differ in scope must not replace each other. */
static void file_name_tells_issuers_and_scopes_apart(void **state)
{
    struct crl_spec plain = builder_crl_of("ca", 1), later = plain, other = builder_crl_of("other", 1), user = plain,
                    ca = plain;
    const struct crl_spec *specs[] = {&plain, &other, &user, &ca};
    char names[ARRAY_LEN(specs)][PKIX_CRL_FILE_NAME_SIZE], name[PKIX_CRL_FILE_NAME_SIZE];

    (void)state;
    user.extensions[user.extension_count++] =
        builder_extension(OID_ISSUING_DISTRIBUTION_POINT, true,
                          builder_tlv(ASN1_SEQUENCE, builder_tlv(0x81, span_of("\xff", 1), builder_end), builder_end));
    ca.extensions[ca.extension_count++] =
        builder_extension(OID_ISSUING_DISTRIBUTION_POINT, true,
                          builder_tlv(ASN1_SEQUENCE, builder_tlv(0x82, span_of("\xff", 1), builder_end), builder_end));
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        assert_true(pkix_crl_file_name(builder_crl(specs[i]), names[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
    assert_memory_equal(names[0], names[2], 64);
    later.this_update += BUILDER_DAY;
    assert_true(pkix_crl_file_name(builder_crl(&later), name));
    assert_string_equal(name, names[0]);
    assert_int_equal(strlen(names[0]), 64 + 4);
    assert_false(pkix_crl_file_name(span_of("garbage", 7), name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crl_of_a_hundred_thousand_entries_is_searched_by_halves),
        cmocka_unit_test(file_name_tells_issuers_and_scopes_apart),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
