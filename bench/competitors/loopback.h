/*
 * TCP over loopback, and unix sockets: for the servers in C (they listen on a port the kernel chooses, or at a path, and print it) and
 * for the programs that load them.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include "bench.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
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

/* What a socket is bound or connected to. */
struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_un un;
	};
	socklen_t length;
};

static inline struct endpoint endpoint_at(const char *path)
{
	struct endpoint endpoint = { .length = sizeof(endpoint.un) };
	endpoint.un.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(endpoint.un.sun_path))
		fail("Cannot use the path of the socket", ENAMETOOLONG);
	strcpy(endpoint.un.sun_path, path);
	return endpoint;
}

/* At --unix, a path, if there is one. */
static inline int listen_at(int argc, char **argv)
{
	const char *path = find_option(argc, argv, "--unix");
	if (!path)
		return listen_on_any_port();
	struct endpoint endpoint = endpoint_at(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, &endpoint.any, endpoint.length) < 0
	    || listen(listener, 1024) < 0)
		fail("Cannot listen", errno);
	printf("{\"unix\":\"%s\"}\n", path);
	fflush(stdout);
	return listener;
}

/* Where the server is, by --unix or by --port. */
static inline struct endpoint server_address(int argc, char **argv)
{
	const char *path = find_option(argc, argv, "--unix");
	if (path)
		return endpoint_at(path);
	struct endpoint endpoint = { .length = sizeof(endpoint.in) };
	endpoint.in.sin_family = AF_INET;
	endpoint.in.sin_port = htons((uint16_t)atoi(option(argc, argv, "--port")));
	endpoint.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return endpoint;
}

static inline int connect_to(const struct endpoint *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &address->any, address->length) < 0)
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
