/* proxy/control/control_file.h: the control socket's place in the file system: its folder, and whom its file lets in.
 *
 * Who may put another file in the socket's place is given what is meant for yett, PINs above all. So the folder has to
 * be root's or our own, and not everybody's to write into; a sticky bit does not help while no yett runs. Those in the
 * folder's group were put there by an administrator. */
#ifndef YETT_PROXY_CONTROL_CONTROL_FILE_H
#define YETT_PROXY_CONTROL_CONTROL_FILE_H

#include "proxy/control/control_roles.h"

/* The folder of `path` is made (0755) when it is missing. false with a sentence in *error when it is not as above. */
MUST_CHECK bool control_folder_prepare(const char *path, char **error);

/* What "yett run" will say of the folder, as far as it can be seen without making it, and whoever looks: that everybody
 * may write to it. false with a sentence in *error. */
MUST_CHECK bool control_folder_check(const char *path, char **error);

/* Before a secret is sent to `server`, who answers at `path`: the same, from outside. false with a sentence in *error.
 */
MUST_CHECK bool control_folder_is_safe(const char *path, uid_t server, char **error);

/* Opens the socket's file, as far as `roles` need it. false with a sentence in *error when it cannot be changed. */
MUST_CHECK bool control_file_open_to(const char *path, const struct control_roles *roles, char **error);

#endif
