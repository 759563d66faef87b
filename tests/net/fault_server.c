/* fault_server.c - a chat-completions server on this machine that misbehaves as told.
 *
 *   fault_server PORTFILE
 *
 * Writes its port to PORTFILE and serves until it is killed (or two minutes have
 * passed).  The prompt says what goes wrong: "fault:NAME" on every attempt,
 * "fault:NAME*K" on the first K attempts with this body.  "delay:MS" waits first.
 * Otherwise the answer is the prompt itself.  GET /stats tells what it saw.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_REQUEST = 1 << 20, MAX_SEEN = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int n_requests, n_now, n_most, n_with_key, n_seen;
static struct {
    unsigned long hash;
    int attempts;
} seen[MAX_SEEN];

struct request {
    char *head, *body; /* body is NUL-terminated */
    char fault[32], prompt[4096];
    int delay_ms, attempt;
    bool with_key;
};

static void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static bool send_all(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

static bool send_answer(int fd, const char *status, const char *headers, const char *body)
{
    char head[1024];
    snprintf(head, sizeof head,
             "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n", status,
             headers, strlen(body));
    return send_text(fd, head) && send_text(fd, body);
}

/* How often this body has come, this time included. */
static int count_attempt(const char *body)
{
    unsigned long h = 5381;
    int i;
    for (const char *c = body; *c; c++)
        h = h * 33 + (unsigned char)*c;
    pthread_mutex_lock(&lock);
    for (i = 0; i < n_seen && seen[i].hash != h; i++)
        ;
    if (i == n_seen && n_seen < MAX_SEEN)
        seen[n_seen++].hash = h;
    int attempt = i < MAX_SEEN ? ++seen[i].attempts : 1;
    pthread_mutex_unlock(&lock);
    return attempt;
}

/* The last "content" string of the body, still escaped. */
static void find_prompt(struct request *r)
{
    const char *at = NULL;
    for (const char *p = r->body; (p = strstr(p, "\"content\":")); p++)
        at = p + strlen("\"content\":");
    size_t n = 0;
    at = at ? strchr(at, '"') : NULL;
    for (at = at ? at + 1 : ""; *at && *at != '"' && n + 2 < sizeof r->prompt; at++) {
        if (*at == '\\')
            r->prompt[n++] = *at++;
        r->prompt[n++] = *at;
    }
    r->prompt[n] = '\0';
}

static void find_orders(struct request *r)
{
    const char *at = strstr(r->prompt, "fault:");
    if (at && sscanf(at, "fault:%31[a-z0-9]", r->fault) == 1) {
        const char *star = at + strlen("fault:") + strlen(r->fault);
        if (*star == '*' && r->attempt > atoi(star + 1))
            r->fault[0] = '\0';
    }
    at = strstr(r->prompt, "delay:");
    if (at)
        r->delay_ms = atoi(at + strlen("delay:"));
}

static void make_body(const struct request *r, char *out, size_t n, const char *message,
                      const char *finish)
{
    snprintf(out, n,
             "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"parrot\",\"choices\":[{"
             "\"index\":0,\"message\":%s,\"finish_reason\":%s}],\"usage\":{\"prompt_tokens\":%zu,"
             "\"completion_tokens\":1,\"total_tokens\":%zu}}",
             message, finish, strlen(r->prompt), strlen(r->prompt) + 1);
}

/* Faults that are one ordinary answer: status, headers, body. */
static const struct {
    const char *name, *status, *headers, *body;
} plain[] = {
    {"429", "429 Too Many Requests", "Retry-After: 1\r\n", "{\"error\":{\"message\":\"slow down\"}}"},
    {"429date", "429 Too Many Requests", "Retry-After: Fri, 01 Jan 2021 00:00:00 GMT\r\n", "{}"},
    {"429ms", "429 Too Many Requests", "retry-after-ms: 30\r\n", "{}"},
    {"quota", "429 Too Many Requests", "",
     "{\"error\":{\"message\":\"you are out of money\",\"code\":\"insufficient_quota\"}}"},
    {"500", "500 Internal Server Error", "", "oh no"},
    {"503", "503 Service Unavailable", "", "{\"error\":\"loading\"}"},
    {"400", "400 Bad Request", "", "{\"error\":{\"message\":\"context\\u0007 too\\nlong\"}}"},
    {"401", "401 Unauthorized", "", "{\"error\":{\"message\":\"wrong key: sk-secret-123\"}}"},
    {"404", "404 Not Found", "", "{\"error\":{\"message\":\"no such model\"}}"},
    {"redirect", "302 Found", "Location: file:///etc/passwd\r\n", ""},
    {"badjson", "200 OK", "", "{\"choices\":[{\"message\":"},
    {"html", "200 OK", "", "<html>welcome to the wifi of our train</html>"},
    {"error200", "200 OK", "", "{\"error\":{\"message\":\"overloaded\",\"code\":503}}"},
    {"nothing", "200 OK", "", "{}"},
    {"filter", "200 OK", "",
     "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":null},"
     "\"finish_reason\":\"content_filter\"}]}"},
};

static bool serve_broken(int fd, const char *fault, const char *body)
{
    char head[256];
    size_t n = strlen(body), half = n / 2;
    if (strcmp(fault, "hang") == 0) {
        sleep_ms(3000);
        return false;
    }
    if (strcmp(fault, "reset") == 0) {
        struct linger now = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
    }
    if (strcmp(fault, "chunked") == 0 || strcmp(fault, "chunkcut") == 0) {
        send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        snprintf(head, sizeof head, "%zx\r\n", half);
        send_text(fd, head);
        send_all(fd, body, half);
        send_text(fd, "\r\n");
        if (strcmp(fault, "chunkcut") == 0)
            return false;
        snprintf(head, sizeof head, "%zx\r\n", n - half);
        send_text(fd, head);
        send_text(fd, body + half);
        return send_text(fd, "\r\n0\r\n\r\n");
    }
    if (strcmp(fault, "endless") == 0) {
        send_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while (send_text(fd, "all work and no play makes jack a dull boy\n"))
            ;
        return false;
    }
    bool close_only = strcmp(fault, "close") == 0; /* no length: cut looks complete to HTTP */
    snprintf(head, sizeof head,
             close_only ? "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                        : "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
             n);
    send_text(fd, head);
    if (strcmp(fault, "drip") == 0) {
        for (size_t i = 0; i < n && send_all(fd, body + i, 1); i++)
            sleep_ms(1);
        return true;
    }
    if (strcmp(fault, "stall") == 0) {
        send_all(fd, body, half);
        sleep_ms(4000);
        return false;
    }
    send_all(fd, body, half); /* cut, close */
    return false;
}

/* true: the connection can go on. */
static bool serve_chat(int fd, const struct request *r)
{
    static const char *const broken[] = {"hang",    "reset", "chunked", "chunkcut", "endless",
                                         "close",   "drip",  "stall",   "cut"};
    size_t size = 2 * sizeof r->prompt + 1024;
    char *message = malloc(size), *body = malloc(size);
    const char *finish = strcmp(r->fault, "length") == 0     ? "\"length\""
                         : strcmp(r->fault, "nofinish") == 0 ? "null"
                                                             : "\"stop\"";
    const char *extra = strcmp(r->fault, "reasoning") == 0   ? ",\"reasoning_content\":\"because\""
                        : strcmp(r->fault, "reasoning2") == 0 ? ",\"reasoning\":\"hence\""
                                                              : "";
    snprintf(message, size, "{\"role\":\"assistant\",\"content\":\"%s\"%s}",
             strcmp(r->fault, "empty") == 0 ? "" : r->prompt, extra);
    make_body(r, body, size, message, finish);
    bool done = false, go_on = true;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0] && !done; i++)
        if (strcmp(r->fault, plain[i].name) == 0) {
            go_on = send_answer(fd, plain[i].status, plain[i].headers, plain[i].body);
            done = true;
        }
    for (size_t i = 0; i < sizeof broken / sizeof broken[0] && !done; i++)
        if (strcmp(r->fault, broken[i]) == 0) {
            go_on = serve_broken(fd, r->fault, body);
            done = true;
        }
    if (!done)
        go_on = send_answer(fd, "200 OK", "", body);
    free(message);
    free(body);
    return go_on;
}

static bool serve_stats(int fd)
{
    char body[256];
    pthread_mutex_lock(&lock);
    snprintf(body, sizeof body, "{\"requests\":%d,\"most_at_once\":%d,\"with_key\":%d}\n", n_requests,
             n_most, n_with_key);
    pthread_mutex_unlock(&lock);
    return send_answer(fd, "200 OK", "", body);
}

/* Reads one request into buf; false at the end of the connection. */
static bool read_request(int fd, char *buf, struct request *r)
{
    size_t n = 0, want = 0;
    memset(r, 0, sizeof *r);
    while (n < MAX_REQUEST) {
        ssize_t got = recv(fd, buf + n, MAX_REQUEST - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        buf[n] = '\0';
        char *end = strstr(buf, "\r\n\r\n");
        if (!end)
            continue;
        if (!want) {
            const char *length = strcasestr(buf, "\r\nContent-Length:");
            want = (size_t)(end + 4 - buf) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
        if (n >= want) {
            r->head = buf;
            r->body = end + 4;
            const char *key = strcasestr(buf, "\r\nAuthorization: Bearer sk-secret-123\r\n");
            r->with_key = key && key < end;
            return true;
        }
    }
    return false;
}

static void *connection(void *arg)
{
    int fd = (int)(long)arg;
    char *buf = malloc(MAX_REQUEST + 1);
    struct request *r = malloc(sizeof *r);
    bool go_on = true;
    while (go_on && read_request(fd, buf, r)) {
        if (strncmp(buf, "GET /stats", 10) == 0) {
            go_on = serve_stats(fd);
            continue;
        }
        pthread_mutex_lock(&lock);
        n_requests++;
        n_with_key += r->with_key;
        pthread_mutex_unlock(&lock);
        r->attempt = count_attempt(r->body);
        find_prompt(r);
        find_orders(r);
        /* Clients leave before these two end, and then ask others. */
        bool counts = strcmp(r->fault, "hang") != 0 && strcmp(r->fault, "stall") != 0;
        pthread_mutex_lock(&lock);
        n_now += counts;
        n_most = n_now > n_most ? n_now : n_most;
        pthread_mutex_unlock(&lock);
        sleep_ms(r->delay_ms);
        go_on = serve_chat(fd, r);
        pthread_mutex_lock(&lock);
        n_now -= counts;
        pthread_mutex_unlock(&lock);
    }
    close(fd);
    free(buf);
    free(r);
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *f = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (!f || s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) < 0 || listen(s, 128) < 0 ||
        getsockname(s, (struct sockaddr *)&a, &n) < 0) {
        perror("fault_server PORTFILE");
        return 1;
    }
    alarm(600); /* a test that died leaves no server behind */
    signal(SIGPIPE, SIG_IGN);
    fprintf(f, "%d\n", ntohs(a.sin_port));
    fclose(f);
    for (;;) {
        pthread_t t;
        int fd = accept(s, NULL, NULL);
        if (fd >= 0 && pthread_create(&t, NULL, connection, (void *)(long)fd) == 0)
            pthread_detach(t);
    }
}
