/* stop.h - signals that ask a long-running program to save and stop.
 *
 * SIGTERM, SIGUSR1 and the first SIGINT set a flag that the program looks at
 * between steps (then: save, exit EXIT_RESUMABLE).  SIGUSR2 asks for a
 * checkpoint only.  A second SIGINT kills.
 */
#ifndef TP_BASE_STOP_H
#define TP_BASE_STOP_H

#include <stdbool.h>

void stop_install(void);
bool stop_requested(void);
bool stop_checkpoint_requested(void); /* true once per SIGUSR2 */

#endif
