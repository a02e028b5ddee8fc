/*
 * TCP over loopback, for the servers in C (they listen on a port the kernel chooses, and print it)
 * and for the programs that load them.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include "bench.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int listen_on_any_port(void)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = { .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t length = sizeof(address);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0
	    || listen(listener, 1024) < 0
	    || getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		fail("Cannot listen", errno);
	printf("{\"port\":%d}\n", ntohs(address.sin_port));
	fflush(stdout);
	return listener;
}

/* The server's address, by --port. */
static inline struct sockaddr_in server_address(int argc, char **argv)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(option(argc, argv, "--port"))),
	};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static inline int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		fail("Cannot connect", errno);
	return fd;
}

static inline struct io_uring_sqe *next_sqe(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	if (!sqe)
		fail("The submission queue is full", EBUSY);
	return sqe;
}

#endif
