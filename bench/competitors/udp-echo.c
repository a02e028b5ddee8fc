/* Sends datagrams back: one multishot receive into provided buffers, a send from the buffer in which a message came. */
#include "buffer-ring.h"
#include "loopback.h"

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 4096
#define BUFFERS 512
#define BUFFER_BYTES 2304
#define GROUP 0

/* The user data of the receive; of a send its buffer. */
#define RECEIVE UINT64_MAX

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static char *buffers;
static int udp;

/* What the kernel leaves room for in front of a message: the sender's address. */
static struct msghdr layout = { .msg_namelen = sizeof(struct sockaddr_in) };
static struct msghdr answers[BUFFERS];
static struct iovec pieces[BUFFERS];

static void provide(unsigned bid)
{
	io_uring_buf_ring_add(buffer_ring, buffers + (size_t)bid * BUFFER_BYTES, BUFFER_BYTES,
			      (unsigned short)bid, io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(buffer_ring, 1);
}

static void receive(void)
{
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_recvmsg_multishot(sqe, udp, &layout, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = RECEIVE;
}

static void send_back(unsigned bid, int length)
{
	void *buffer = buffers + (size_t)bid * BUFFER_BYTES;
	struct io_uring_recvmsg_out *message = io_uring_recvmsg_validate(buffer, length, &layout);
	if (!message || message->flags & MSG_TRUNC)
		fail("A message was cut off", EMSGSIZE);
	pieces[bid].iov_base = io_uring_recvmsg_payload(message, &layout);
	pieces[bid].iov_len = io_uring_recvmsg_payload_length(message, length, &layout);
	answers[bid] = (struct msghdr){
		.msg_name = io_uring_recvmsg_name(message),
		.msg_namelen = message->namelen,
		.msg_iov = &pieces[bid],
		.msg_iovlen = 1,
	};
	struct io_uring_sqe *sqe = next_sqe(&ring);
	io_uring_prep_sendmsg(sqe, udp, &answers[bid], 0);
	sqe->user_data = bid;
}

static void completed(const struct io_uring_cqe *cqe)
{
	if (cqe->user_data != RECEIVE) {
		if (cqe->res < 0)
			fail("Cannot send", cqe->res);
		provide((unsigned)cqe->user_data);
		return;
	}
	if (cqe->res >= 0)
		send_back(cqe->flags >> IORING_CQE_BUFFER_SHIFT, cqe->res);
	else if (cqe->res != -ENOBUFS)
		fail("Cannot receive", cqe->res);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		receive();
}

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t length = sizeof(address);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp < 0 || bind(udp, (struct sockaddr *)&address, length) < 0
	    || getsockname(udp, (struct sockaddr *)&address, &length) < 0)
		fail("Cannot bind", errno);

	open_ring(&ring, SQ_ENTRIES, CQ_ENTRIES);
	buffer_ring = register_buffers(&ring, BUFFERS, BUFFER_BYTES, GROUP, &buffers);
	for (unsigned bid = 0; bid < BUFFERS; bid++)
		provide(bid);
	receive();
	printf("{\"port\":%d}\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		submit_and_wait(&ring, 1);
		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			completed(cqe);
			reaped++;
		}
		io_uring_cq_advance(&ring, reaped);
	}
}
