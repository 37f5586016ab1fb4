/* What the sanitizers of a sanitizer build are told from within, so that it holds for every program and also where a
 * sandbox forbids reading a file: how they behave, and which foreign bugs they pass over. Each suppression is preceded
 * by the foreign bug it stands for. Our own findings are never suppressed. */

const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=1";
}

const char *__lsan_default_suppressions(void)
{
    return "";
}

const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1:halt_on_error=1";
}

const char *__tsan_default_options(void)
{
    return "halt_on_error=1:second_deadlock_stack=1";
}

const char *__tsan_default_suppressions(void)
{
    /* SoftHSM 2.6.1: C_GetTokenInfo() uses gmtime(), whose result all threads share; and it is not built with the
     * sanitizer, so that the order its own atomics give is not seen. */
    return "race:libsofthsm2.so\n"
           /* NSPR 4.35: PR_Interrupt() wakes a waiting thread by its condition variable, without the lock that the
            * variable was published under. NSS's thread that looks after the session cache's locks is ended so. */
           "race:PR_Interrupt\n";
}
