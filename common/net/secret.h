/* secret.h - an API key that stays a secret.
 *
 * It comes from an environment variable or a file that only its owner can read,
 * never from the command line.  Having one, the process writes no core file and
 * cannot be traced by others, and the variable is taken out of the environment.
 */
#ifndef TP_NET_SECRET_H
#define TP_NET_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* file wins over the variable; neither there: *key = NULL, an error if required.  Owned by the
 * caller; give it back with secret_free(), which overwrites it. */
int secret_load(const char *variable, const char *file, bool required, char **key,
                struct err *err) WARN_UNUSED;
void secret_free(char *key);
/* What a server says, to be shown: on one line, without control characters, cut to max bytes at the
 * end of a character, and without the key (or NULL) if the server echoes that.  Owned. */
char *secret_clean(const char *text, size_t max, const char *key);

#endif
