/* see tokens/accelerator/curve.h */
#include "tokens/accelerator/curve.h"

enum { DER_OCTET_STRING = 0x04, DER_LONG_FORM = 0x80, POINT_UNCOMPRESSED = 0x04 };

static const struct accel_curve curves[] = {
    {ACCEL_P256, "P-256", false, 32, 65, 10, {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}},
    {ACCEL_P384, "P-384", false, 48, 97, 7, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}},
    {ACCEL_P521, "P-521", false, 66, 133, 7, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}},
    {ACCEL_X25519,
     "X25519",
     true,
     32,
     32,
     11,
     {0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01}},      /* NSS's */
    {ACCEL_X25519, "X25519", true, 32, 32, 5, {0x06, 0x03, 0x2b, 0x65, 0x6e}}, /* RFC 8410 */
};

const struct accel_curve *accel_curve_find(const void *params, size_t size)
{
    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (curves[i].params_size == size && memcmp(curves[i].params, params, size) == 0)
            return &curves[i];
    return NULL;
}

static bool is_point(const struct accel_curve *curve, const uint8_t *data, size_t size)
{
    return size == curve->point && (curve->montgomery || data[0] == POINT_UNCOMPRESSED);
}

const uint8_t *accel_curve_point(const struct accel_curve *curve, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    size_t head = curve->point < DER_LONG_FORM ? 2 : 3;

    if (data == NULL)
        return NULL;
    if (is_point(curve, bytes, size))
        return bytes;
    if (size != head + curve->point || bytes[0] != DER_OCTET_STRING || bytes[head - 1] != curve->point ||
        (head == 3 && bytes[1] != (DER_LONG_FORM | 1)) || !is_point(curve, bytes + head, curve->point))
        return NULL;
    return bytes + head;
}
