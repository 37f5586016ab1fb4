/* fips-mode.so: for LD_PRELOAD, an NSS that says that it is in FIPS mode, and is not. For tests. */
__attribute__((visibility("default"))) int PK11_IsFIPS(void);

int PK11_IsFIPS(void)
{
    return 1;
}
