/* What a server says of itself when the connections of its load have ended. */
#ifndef REPORT_H
#define REPORT_H

#include "loopback.h"

/* Ends these sides, and reads what comes until the others end: the report is on the connection that ended last. */
static inline void read_report(const int *fds, unsigned connections, char *report, size_t size)
{
	size_t length = 0;
	for (unsigned i = 0; i < connections; i++)
		shutdown(fds[i], SHUT_WR);
	for (unsigned i = 0; i < connections; i++) {
		ssize_t count;
		while ((count = recv(fds[i], report + length, size - 1 - length, 0)) > 0)
			length += (size_t)count;
		if (count < 0)
			fail("Cannot read the report", errno);
		close(fds[i]);
	}
	report[length] = 0;
}

#endif
