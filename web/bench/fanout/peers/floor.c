/* The floor: one send(2) for each watcher and fact, and nothing that a real server needs besides.

   floor PORT FACT-FILE: says "ready {}", sends the file's bytes as a text frame for each fact of an order "N" on its
   input, answers each order with the moment it began (monotonic ns), and ends with its input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 65536, BATCH = 512 };

/* Every watcher of the bench sends the key of RFC 6455 section 1.3, so every answer is this one. */
static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static char frame[MOST + 4];
static size_t frame_size;
static int watchers[MOST], count, places[MOST];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void read_fact(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    size_t size = fread(frame + 4, 1, MOST - 1, file);
    fclose(file);
    if (size < 126) {
        fprintf(stderr, "a fact has 126 bytes at least\n");
        exit(1);
    }
    frame[0] = (char)0x81, frame[1] = 126, frame[2] = (char)(size >> 8), frame[3] = (char)size;
    frame_size = size + 4;
}

static void gone(int fd) {
    int place = places[fd] - 1;
    if (place >= 0) {
        watchers[place] = watchers[--count];
        places[watchers[place]] = place + 1;
        places[fd] = 0;
    }
    close(fd);
}

static void send_to(int fd) {
    size_t sent = 0;
    while (sent < frame_size) {
        ssize_t now = send(fd, frame + sent, frame_size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (now > 0) {
            sent += (size_t)now;
        } else if (errno == EAGAIN) {
            struct pollfd slow = {.fd = fd, .events = POLLOUT};
            poll(&slow, 1, 1000);
        } else {
            return;
        }
    }
}

static void hear(int fd) {
    char request[4096];
    ssize_t size = recv(fd, request, sizeof request, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN)) {
        gone(fd);
    } else if (size > 0 && !places[fd]) { /* a request is sent at once, so it comes whole on loopback */
        watchers[count++] = fd;
        places[fd] = count;
        send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    }
}

static void obey(void) {
    static char line[256];
    if (!fgets(line, sizeof line, stdin)) exit(0);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (int facts = atoi(line); facts > 0; facts--)
        for (int i = 0; i < count; i++) send_to(watchers[i]);
    printf("%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    read_fact(argv[2]);
    setvbuf(stdin, NULL, _IONBF, 0);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, poller = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) fail("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = STDIN_FILENO;
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    printf("ready {}\n");
    fflush(stdout);
    for (;;) {
        struct epoll_event ready[BATCH];
        int found = epoll_wait(poller, ready, BATCH, -1);
        for (int i = 0; i < found; i++) {
            int fd = ready[i].data.fd;
            if (fd == STDIN_FILENO) {
                obey();
            } else if (fd == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    if (fd >= MOST) exit(1);
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    event.events = EPOLLIN, event.data.fd = fd;
                    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
                }
            } else {
                hear(fd);
            }
        }
    }
}
