/*
 * Takes what the sender at --port sends for --seconds and throws it away unread (MSG_TRUNC), so
 * that the sender sets the pace. Then it ends its own side: the sender stops, adds its report, and
 * ends the connection. All bytes before the report are zeros.
 */
#include "loopback.h"

#define CHUNK (1 << 20)

static char chunk[CHUNK];

int main(int argc, char **argv)
{
	double seconds = atof(option(argc, argv, "--seconds"));
	struct sockaddr_in address = server_address(argc, argv);
	int fd = connect_to(&address);
	double start = wall_seconds();
	uint64_t bytes = 0;
	while (wall_seconds() - start < seconds) {
		ssize_t count = recv(fd, NULL, CHUNK, MSG_TRUNC);
		if (count <= 0)
			fail("The sender ended too early", count < 0 ? errno : EPROTO);
		bytes += (uint64_t)count;
	}
	double elapsed = wall_seconds() - start;
	shutdown(fd, SHUT_WR);

	char report[512];
	size_t length = 0;
	ssize_t count;
	while ((count = recv(fd, chunk, CHUNK, 0)) > 0) {
		ssize_t zeros = 0;
		while (length == 0 && zeros < count && chunk[zeros] == 0)
			zeros++;
		bytes += (uint64_t)zeros;
		if (length + (size_t)(count - zeros) >= sizeof(report))
			fail("The report is too long", EMSGSIZE);
		memcpy(report + length, chunk + zeros, (size_t)(count - zeros));
		length += (size_t)(count - zeros);
	}
	if (count < 0)
		fail("Cannot receive", errno);
	report[length] = 0;
	printf("{\"seconds\":%.9f,\"bytes\":%llu,\"report\":%s}\n", elapsed,
	       (unsigned long long)bytes, report);
	return 0;
}
