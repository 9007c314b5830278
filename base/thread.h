/* What every thread of ours needs. */
#ifndef CNX_BASE_THREAD_H
#define CNX_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* How many processors the process may use; 1 if that is not known. */
unsigned cnx_processor_count(void);

/* Starts a thread that gets no signals: those are for the program's own. False when it cannot be started. */
bool cnx_thread_start(pthread_t *thread, void *(*work)(void *), void *argument);

#endif
