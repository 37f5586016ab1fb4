/* tokens/accelerator/template.h: lists of attributes, as callers give them, read with every size checked. */
#ifndef YETT_TOKENS_ACCELERATOR_TEMPLATE_H
#define YETT_TOKENS_ACCELERATOR_TEMPLATE_H

#include "tokens/accelerator/cryptoki.h"

enum { ACCEL_ATTRIBUTES_MAX = 64 };

struct accel_template {
    const CK_ATTRIBUTE *attributes;
    CK_ULONG count;
};

/* CKR_ARGUMENTS_BAD or CKR_ATTRIBUTE_VALUE_INVALID for a list that cannot be: too long, without values, the same
 * attribute twice, or a number or a truth value of another size than its type. */
CK_RV accel_template_init(struct accel_template *template, const CK_ATTRIBUTE *attributes, CK_ULONG count);

/* The attribute, or NULL. */
const CK_ATTRIBUTE *accel_template_find(const struct accel_template *template, CK_ATTRIBUTE_TYPE type);

/* Numbers and truth values, or `otherwise` where the list has none. */
CK_ULONG accel_template_number(const struct accel_template *template, CK_ATTRIBUTE_TYPE type, CK_ULONG otherwise);
bool accel_template_flag(const struct accel_template *template, CK_ATTRIBUTE_TYPE type, bool otherwise);

#endif
