/* http_status.h - inside of http.c: what a status or a libcurl error calls for. */
#ifndef TP_NET_HTTP_STATUS_H
#define TP_NET_HTTP_STATUS_H

#include <curl/curl.h>

#include "net/http.h"

enum http_verdict http_status_verdict(long status);
enum http_verdict http_curl_verdict(CURLcode code);
/* Seconds that the answer asks to wait (retry-after-ms, Retry-After in seconds or as a date), at
 * most an hour: longer than that it is cheaper to ask again.  0 = does not say. */
double http_retry_after(CURL *easy);

#endif
