/* see proxy/process/harmless_signals.h */
#include "proxy/process/harmless_signals.h"

#include "base/base.h"
#include <signal.h>

void harmless_signals_ignore(void)
{
    /* SIGXFSZ: writing fails with EFBIG then, as to a log on standard error that has become too long. */
    static const int numbers[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXFSZ};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        (void)signal(numbers[i], SIG_IGN);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        (void)signal(number, SIG_IGN);
}
