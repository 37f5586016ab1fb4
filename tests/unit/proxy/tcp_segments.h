/* tests/unit/proxy/tcp_segments.h: how many segments a TCP socket has received, ...; 0 when the kernel does not say. */
#ifndef YETT_TESTS_TCP_SEGMENTS_H
#define YETT_TESTS_TCP_SEGMENTS_H

unsigned tcp_segments_received(int fd);

/* Segments it has sent that its peer has not acknowledged. */
unsigned tcp_segments_unacknowledged(int fd);

#endif
