/* proxy/process/harmless_signals.h: signals that mean nothing to us, and whose default is to end the process.
 *
 * Tools and habits send them: SIGUSR1 reopens the log of other servers, a timer or a terminal of somebody else's has
 * sent SIGALRM or SIGIO. None may end a process with connections in it. SIGQUIT and the signals of faults keep their
 * meaning: they are for a core dump. What is ignored is ignored by the children that are started, too. */
#ifndef YETT_PROXY_PROCESS_HARMLESS_SIGNALS_H
#define YETT_PROXY_PROCESS_HARMLESS_SIGNALS_H

/* Once, at the start of a process. */
void harmless_signals_ignore(void);

#endif
