/* http_status.c - what a status or a libcurl error calls for, and addresses. */
#include "net/http_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const double MAX_RETRY_AFTER_S = 3600;

enum http_verdict http_status_verdict(long status)
{
    if (status >= 200 && status < 300)
        return HTTP_DONE;
    if (status == 408 || status == 409 || status == 425 || status == 429 || status >= 500)
        return HTTP_RETRY;
    if (status == 401 || status == 403 || status == 404 || status == 405 || status == 407 ||
        (status >= 300 && status < 400))
        return HTTP_STOP;
    return HTTP_GIVE_UP;
}

enum http_verdict http_curl_verdict(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_OUT_OF_MEMORY:
        return HTTP_STOP;
    case CURLE_WRITE_ERROR: /* our own limit on the size of an answer */
        return HTTP_GIVE_UP;
    default:
        return HTTP_RETRY;
    }
}

double http_retry_after(CURL *easy)
{
    struct curl_header *h;
    double s = 0;
    if (curl_easy_header(easy, "retry-after-ms", 0, CURLH_HEADER, -1, &h) == CURLHE_OK) {
        s = strtod(h->value, NULL) / 1000;
    } else {
        curl_off_t seconds = 0;
        if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK)
            s = (double)seconds;
    }
    if (!(s > 0))
        return 0;
    return s < MAX_RETRY_AFTER_S ? s : MAX_RETRY_AFTER_S;
}

static bool is_loopback_name(const char *host)
{
    int a, b, c, d, n = 0;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return sscanf(host, "%3d.%3d.%3d.%3d%n", &a, &b, &c, &d, &n) == 4 && host[n] == '\0' && a == 127;
}

bool http_url_is_loopback(const char *url)
{
    CURLU *u = curl_url();
    char *host = NULL;
    bool yes = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
               curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && is_loopback_name(host);
    curl_free(host);
    curl_url_cleanup(u);
    return yes;
}

char *http_chat_url(const char *endpoint)
{
    static const char path[] = "/chat/completions";
    size_t n = strlen(endpoint), length = strlen(path);
    while (n > 0 && endpoint[n - 1] == '/')
        n--;
    if (n >= length && strncmp(endpoint + n - length, path, length) == 0)
        return xstrndup(endpoint, n);
    const char *host = strstr(endpoint, "://");
    size_t before = host ? (size_t)(host + 3 - endpoint) : n;
    bool bare = before < n && !memchr(endpoint + before, '/', n - before);
    return xasprintf("%.*s%s%s", (int)n, endpoint, bare ? "/v1" : "", path);
}
