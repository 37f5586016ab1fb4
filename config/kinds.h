/* config/kinds.h: how values get into the fields of the configuration: one kind for each type of field. */
#ifndef YETT_CONFIG_KINDS_H
#define YETT_CONFIG_KINDS_H

#include "config/options.h"

extern const struct option_kind option_kind_number;       /* unsigned */
extern const struct option_kind option_kind_time;         /* uint32_t, milliseconds */
extern const struct option_kind option_kind_size;         /* uint32_t, bytes */
extern const struct option_kind option_kind_word;         /* an enum, int or unsigned */
extern const struct option_kind option_kind_flag;         /* bool */
extern const struct option_kind option_kind_parameters;   /* char *; for the reserved pointer of C_Initialize() */
extern const struct option_kind option_kind_text;         /* char * */
extern const struct option_kind option_kind_file;         /* char *: the PATH of file:PATH */
extern const struct option_kind option_kind_module_path;  /* char * */
extern const struct option_kind option_kind_accelerator;  /* char *: "auto", a path, or NULL for "none" */
extern const struct option_kind option_kind_path_or_none; /* char *: NULL for "none" */
extern const struct option_kind option_kind_host;         /* char *: a host name or address literal */
extern const struct option_kind option_kind_database;     /* char *: sql:PATH */
extern const struct option_kind option_kind_socket_path;  /* char *: fits into a sockaddr_un */
extern const struct option_kind option_kind_pin;          /* char *, and its type */
extern const struct option_kind option_kind_address;      /* struct config_address * */
extern const struct option_kind option_kind_user;         /* struct config_user * */
extern const struct option_kind option_kind_address_list;
extern const struct option_kind option_kind_identity_list;
extern const struct option_kind option_kind_allow_list;
extern const struct option_kind option_kind_allow_target_list;
extern const struct option_kind option_kind_network_list;
extern const struct option_kind option_kind_server_name_list;
extern const struct option_kind option_kind_issuer_host_list;
extern const struct option_kind option_kind_trust_list;
extern const struct option_kind option_kind_crl_list;
extern const struct option_kind option_kind_principal_list;
extern const struct option_kind option_kind_text_list;
extern const struct option_kind option_kind_sha256_list; /* char *: 64 digits, lower case */
extern const struct option_kind option_kind_policy_list;
extern const struct option_kind option_kind_group_list; /* enum key_group; none for "auto" */
extern const struct option_kind option_kind_environment_list;

#endif
