/* config/items.h: the things lists of the configuration are made of, and a module's PIN source.
 *
 * Each *_parse() fills a zeroed item from one entry, or returns false with a sentence in *error; what it filled until
 * then is given back by *_clear(), which is also how an item ends. No sentence repeats what could be a PIN.
 * The item's `place`, where it has one, is the caller's to set. */
#ifndef YETT_CONFIG_ITEMS_H
#define YETT_CONFIG_ITEMS_H

#include "config/config.h"

MUST_CHECK bool item_address_parse(const char *text, void *item, char **error); /* struct config_address */
void item_address_clear(void *item);

MUST_CHECK bool item_identity_parse(const char *text, void *item, char **error); /* struct config_identity */
void item_identity_clear(void *item);

MUST_CHECK bool item_allow_parse(const char *text, void *item, char **error); /* struct config_allow */
void item_allow_clear(void *item);

MUST_CHECK bool item_allow_target_parse(const char *text, void *item, char **error); /* struct config_allow_target */
void item_allow_target_clear(void *item);

MUST_CHECK bool item_network_parse(const char *text, void *item, char **error); /* struct config_network */
void item_network_clear(void *item);

MUST_CHECK bool item_issuer_host_parse(const char *text, void *item, char **error); /* struct config_issuer_host */
void item_issuer_host_clear(void *item);

MUST_CHECK bool item_trust_parse(const char *text, void *item, char **error); /* struct config_trust */
void item_trust_clear(void *item);

MUST_CHECK bool item_crl_parse(const char *text, void *item, char **error); /* struct config_crl */
void item_crl_clear(void *item);

MUST_CHECK bool item_policy_parse(const char *text, void *item, char **error); /* struct config_policy */
void item_policy_clear(void *item);

MUST_CHECK bool item_group_parse(const char *text, void *item, char **error); /* enum key_group */

MUST_CHECK bool item_principal_parse(const char *text, void *item, char **error); /* struct config_principal */
void item_principal_clear(void *item);

MUST_CHECK bool item_server_name_parse(const char *text, void *item, char **error); /* char * */

MUST_CHECK bool item_text_parse(const char *text, void *item, char **error); /* char * */
void item_text_clear(void *item);

MUST_CHECK bool item_sha256_parse(const char *text, void *item, char **error); /* char *, 64 digits, lower case */

MUST_CHECK bool item_environment_parse(const char *text, void *item, char **error); /* char *, "NAME=value" */

/* pin = file:PATH | credential:NAME | env:NAME | prompt */
MUST_CHECK bool item_pin_parse(const char *text, enum config_pin_type *type, char **source, char **error);

#endif
