/*
 * Connects to the echo server at --port, or --unix, --connections times; on each a byte goes there and back, so that the server has them
 * all. Then it says how many there are, and nothing more until it is killed.
 */
#include "loopback.h"

static void raise_limit(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	unsigned connections = (unsigned)atoi(option(argc, argv, "--connections"));
	struct endpoint address = server_address(argc, argv);
	raise_limit();
	for (unsigned i = 0; i < connections; i++) {
		int fd = connect_to(&address);
		char byte = 1;
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, MSG_WAITALL) != 1)
			fail("A connection is not served", errno);
	}
	printf("{\"connections\":%u}\n", connections);
	fflush(stdout);
	for (;;)
		pause();
}
