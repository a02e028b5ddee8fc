/*
 * Clients of an HTTP server at --port, each with one request under way: --connections of them ask for --path, or bring a body of
 * --post bytes. They work when they are told to on standard input, so that servers that are compared can take turns of some hundred
 * milliseconds: after each line, which holds the seconds of a turn, they go on for so long, wait for the answers that are under way, and
 * print what they have done in it. With --fresh they connect anew for each turn. With --awake they never sleep, so that a server does
 * not have to wake them, as it does not have to wake those at the other end of a network. The p99 is that of all turns behind the last
 * line that began with a w, for a warm-up; of connections that stay, without the beginning of a turn, where caches are cold and all
 * requests come at once. Answers have to say how long their bodies are.
 */
#include "latency.h"
#include "loopback.h"
#include <fcntl.h>
#include <strings.h>
#include <sys/epoll.h>

#define HEAD_MAX 4096
#define READ_MAX 262144
#define BEGINNING_SECONDS 0.02

struct client {
	int fd;
	uint32_t watched;
	double sent_at;
	/* Bytes of the request that the kernel has taken. */
	size_t sent;
	/* Bytes of the head that have come, and of the body that have not. */
	size_t head_length;
	size_t body_missing;
	bool in_body;
	bool is_idle;
	char head[HEAD_MAX];
};

static struct client *clients;
static unsigned connections;
static struct endpoint address;
static int epoll;
static char *request;
static size_t request_length;
static char buffer[READ_MAX];
static struct latencies latencies;
static uint64_t requests;
static uint64_t body_bytes;
static unsigned under_way;
/* What was sent before is not in the p99. */
static double counts_from;

static void watch(struct client *c, uint32_t events)
{
	if (c->watched == events)
		return;
	struct epoll_event event = { .events = events, .data.u32 = (uint32_t)(c - clients) };
	if (epoll_ctl(epoll, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event) < 0)
		fail("Cannot watch", errno);
	c->watched = events;
}

static void open_client(struct client *c)
{
	c->fd = connect_to(&address);
	c->watched = 0;
	int yes = 1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
		fail("Cannot make a socket non-blocking", errno);
	watch(c, EPOLLIN);
}

static void send_rest(struct client *c)
{
	while (c->sent < request_length) {
		ssize_t count = send(c->fd, request + c->sent, request_length - c->sent, MSG_NOSIGNAL);
		if (count < 0 && errno == EAGAIN)
			return watch(c, EPOLLIN | EPOLLOUT);
		if (count < 0)
			fail("Cannot send", errno);
		c->sent += (size_t)count;
	}
	watch(c, EPOLLIN);
}

static void begin_request(struct client *c)
{
	c->sent = 0;
	c->head_length = 0;
	c->in_body = false;
	c->is_idle = false;
	c->sent_at = wall_seconds();
	send_rest(c);
}

/* The head is whole: how long the body is. */
static void read_head(struct client *c, size_t head_bytes)
{
	if (head_bytes < 12 || memcmp(c->head + 9, "200", 3) != 0)
		fail("The server did not answer with 200", EPROTO);
	for (char *line = c->head; line; line = strstr(line, "\r\n")) {
		line += line == c->head ? 0 : 2;
		if (strncasecmp(line, "content-length:", 15) == 0) {
			c->body_missing = strtoull(line + 15, NULL, 10);
			c->in_body = true;
			return;
		}
		if (line >= c->head + head_bytes)
			break;
	}
	fail("An answer does not say how long it is", EPROTO);
}

/* Whether the answer is whole with what has come. */
static bool take(struct client *c, const char *data, size_t length)
{
	if (!c->in_body) {
		size_t before = c->head_length;
		size_t taken = length < HEAD_MAX - 1 - before ? length : HEAD_MAX - 1 - before;
		memcpy(c->head + before, data, taken);
		c->head_length = before + taken;
		c->head[c->head_length] = 0;
		char *end = strstr(c->head, "\r\n\r\n");
		if (!end) {
			if (c->head_length == HEAD_MAX - 1)
				fail("The head of an answer is too long", EPROTO);
			return false;
		}
		size_t head_bytes = (size_t)(end + 4 - c->head);
		end[2] = 0;
		read_head(c, head_bytes - 2);
		data += head_bytes - before;
		length -= head_bytes - before;
	}
	if (length > c->body_missing)
		fail("More has come than an answer", EPROTO);
	c->body_missing -= length;
	body_bytes += length;
	return c->body_missing == 0;
}

static void receive(struct client *c, bool goes_on)
{
	ssize_t count = recv(c->fd, buffer, sizeof(buffer), 0);
	if (count < 0 && errno == EAGAIN)
		return;
	if (count <= 0)
		fail("The server ended too early", count < 0 ? errno : EPROTO);
	if (c->is_idle)
		fail("Something has come that nobody asked for", EPROTO);
	if (!take(c, buffer, (size_t)count))
		return;
	if (c->sent_at >= counts_from)
		latency_add(&latencies, wall_seconds() - c->sent_at);
	requests++;
	if (goes_on)
		return begin_request(c);
	c->is_idle = true;
	under_way--;
}

static void take_turn(double seconds, bool is_fresh, bool is_awake)
{
	uint64_t requests_before = requests;
	uint64_t bytes_before = body_bytes;
	double start = wall_seconds();
	double now = start;
	counts_from = is_fresh ? start : start + BEGINNING_SECONDS;
	for (unsigned i = 0; i < connections; i++) {
		if (is_fresh)
			open_client(&clients[i]);
		under_way++;
		begin_request(&clients[i]);
	}
	while (under_way > 0) {
		struct epoll_event events[256];
		int count = epoll_wait(epoll, events, 256, is_awake ? 0 : 100);
		if (count == 0 && wall_seconds() - now > 10)
			fail("The server does not answer", ETIMEDOUT);
		if (count == 0)
			continue;
		bool goes_on = (now = wall_seconds()) - start < seconds;
		for (int i = 0; i < count; i++) {
			struct client *c = &clients[events[i].data.u32];
			if (events[i].events & EPOLLOUT)
				send_rest(c);
			if (events[i].events & ~(uint32_t)EPOLLOUT)
				receive(c, goes_on);
		}
	}
	now = wall_seconds();
	if (is_fresh)
		for (unsigned i = 0; i < connections; i++)
			close(clients[i].fd);
	printf("{\"seconds\":%.9f,\"requests\":%llu,\"bytes\":%llu,\"p99Milliseconds\":%.4f}\n", now - start,
	       (unsigned long long)(requests - requests_before), (unsigned long long)(body_bytes - bytes_before),
	       latency_percentile(&latencies, 0.99) / 1000);
	fflush(stdout);
}

static bool find_flag(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return false;
}

static void build_request(const char *path, size_t post)
{
	char head[512];
	const char *method = post ? "POST" : "GET";
	int length = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path);
	if (post)
		length += snprintf(head + length, sizeof(head) - (size_t)length,
				   "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n", post);
	length += snprintf(head + length, sizeof(head) - (size_t)length, "\r\n");
	request_length = (size_t)length + post;
	request = malloc(request_length);
	if (!request)
		fail("Cannot keep the request", ENOMEM);
	memcpy(request, head, (size_t)length);
	memset(request + length, 'x', post);
}

int main(int argc, char **argv)
{
	connections = (unsigned)atoi(option(argc, argv, "--connections"));
	const char *post = find_option(argc, argv, "--post");
	bool is_fresh = find_flag(argc, argv, "--fresh");
	bool is_awake = find_flag(argc, argv, "--awake");
	build_request(option(argc, argv, "--path"), post ? strtoull(post, NULL, 10) : 0);
	address = server_address(argc, argv);
	clients = calloc(connections, sizeof(*clients));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || epoll < 0)
		fail("Cannot begin", errno);
	for (unsigned i = 0; !is_fresh && i < connections; i++)
		open_client(&clients[i]);
	printf("{}\n");
	fflush(stdout);
	char line[64];
	while (fgets(line, sizeof(line), stdin)) {
		bool is_warmup = line[0] == 'w';
		take_turn(atof(is_warmup ? line + 1 : line), is_fresh, is_awake);
		if (is_warmup)
			latencies.count = 0;
	}
	return 0;
}
