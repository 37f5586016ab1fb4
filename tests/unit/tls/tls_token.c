/* see tls_token.h */
#include "tls_token.h"

#include <secasn1.h>
#include <secoid.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PIN "1234"

extern char **environ;

static void run(char *const argv[])
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1, 0), 0);
    assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void test_token_create(struct test_token *token, const char *settings)
{
    char *const argv[] = {(char[]){SOFTHSM_UTIL}, (char[]){"--init-token"},
                          (char[]){"--free"},     (char[]){"--label"},
                          (char[]){"yett"},       (char[]){"--so-pin"},
                          (char[]){PIN},          (char[]){"--pin"},
                          (char[]){PIN},          NULL};
    char path[64];
    FILE *file;

    (void)snprintf(token->directory, sizeof(token->directory), "/tmp/yett-hsm-XXXXXX");
    assert_non_null(mkdtemp(token->directory));
    (void)snprintf(path, sizeof(path), "%s/softhsm2.conf", token->directory);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "directories.tokendir = %s\nlog.level = ERROR\n%s", token->directory, settings) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
    run(argv);
}

static char *PR_CALLBACK give_pin(PK11SlotInfo *slot, PRBool retry, void *arg)
{
    (void)slot;
    (void)arg;
    return retry ? NULL : PORT_Strdup(PIN);
}

static PK11SlotInfo *find_slot(SECMODModule *module)
{
    for (int i = 0; i < module->slotCount; i++)
        if (strcmp(PK11_GetTokenName(module->slots[i]), "yett") == 0)
            return PK11_ReferenceSlot(module->slots[i]);
    return NULL;
}

void test_token_open(struct test_token *token)
{
    char specification[] = "library=" SOFTHSM_LIBRARY " name=softhsm";

    PK11_SetPasswordFunc(give_pin);
    token->module = SECMOD_LoadUserModule(specification, NULL, PR_FALSE);
    assert_true(token->module != NULL && token->module->loaded);
    token->slot = find_slot(token->module);
    assert_non_null(token->slot);
    assert_int_equal(PK11_Authenticate(token->slot, PR_TRUE, NULL), SECSuccess);
}

void test_token_close(struct test_token *token)
{
    char *const argv[] = {(char[]){"/bin/rm"}, (char[]){"-r"}, token->directory, NULL};

    PK11_FreeSlot(token->slot);
    assert_int_equal(SECMOD_UnloadUserModule(token->module), SECSuccess);
    SECMOD_DestroyModule(token->module);
    run(argv);
}

SECKEYPrivateKey *test_token_key(struct test_token *token, enum test_key type, SECKEYPublicKey **public_key)
{
    const SECOidData *curve = SECOID_FindOIDByTag(SEC_OID_ANSIX962_EC_PRIME256V1);
    uint8_t encoded[16] = {SEC_ASN1_OBJECT_ID, (uint8_t)curve->oid.len};
    SECItem ec = {.data = encoded, .len = curve->oid.len + 2};
    PK11RSAGenParams rsa = {.keySizeInBits = 2048, .pe = 65537};
    SECKEYPrivateKey *key;

    memcpy(encoded + 2, curve->oid.data, curve->oid.len);
    key = PK11_GenerateKeyPairWithOpFlags(
        token->slot, type == TEST_KEY_RSA ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN,
        type == TEST_KEY_RSA ? (void *)&rsa : (void *)&ec, public_key,
        PK11_ATTR_TOKEN | PK11_ATTR_PRIVATE | PK11_ATTR_SENSITIVE, CKF_SIGN | CKF_VERIFY,
        CKF_SIGN | CKF_VERIFY | CKF_DERIVE | CKF_DECRYPT | CKF_ENCRYPT | CKF_UNWRAP | CKF_WRAP, NULL);
    assert_non_null(key);
    assert_false(PK11_HasAttributeSet(key->pkcs11Slot, key->pkcs11ID, CKA_DERIVE, PR_FALSE));
    assert_false(PK11_HasAttributeSet(key->pkcs11Slot, key->pkcs11ID, CKA_DECRYPT, PR_FALSE));
    return key;
}
