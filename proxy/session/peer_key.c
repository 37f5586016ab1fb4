/* see proxy/session/peer_key.h */
#include "proxy/session/peer_key.h"
#include "base/address.h"

#include <string.h>
#include <sys/random.h>

/* words[1] of IPv6 prefixes; of IPv4 addresses it is larger. */
enum { KEY_64 = 1, KEY_48 = 2 };

struct peer_key peer_key_of(const struct sockaddr *address)
{
    struct address a = address_of_socket(address);
    struct peer_key key = {{0, 0}};
    uint32_t v4;

    if (a.size == 4) {
        memcpy(&v4, a.bytes, sizeof(v4));
        key.words[1] = UINT64_C(0xffff00000000) | ntohl(v4);
    } else if (a.size == 16) {
        memcpy(&key.words[0], a.bytes, sizeof(key.words[0]));
        key.words[1] = KEY_64; /* so that ::/64 (::1) is an address like others */
    }
    return key;
}

bool peer_key_is_address(struct peer_key key)
{
    return key.words[0] != 0 || key.words[1] != 0;
}

struct peer_key peer_key_site(struct peer_key key)
{
    struct peer_key site = {{0, KEY_48}};

    if (key.words[1] != KEY_64)
        return (struct peer_key){{0, 0}};
    memcpy(&site.words[0], &key.words[0], 48 / 8);
    return site;
}

struct peer_key_secret peer_key_secret_make(void)
{
    struct peer_key_secret secret;

    if (getrandom(secret.words, sizeof(secret.words), 0) != (ssize_t)sizeof(secret.words))
        base_abort("the system gives no random bytes");
    return secret;
}

/* The finaliser of splitmix64: each input bit changes half of the output bits. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t peer_key_hash(struct peer_key key, struct peer_key_secret secret, uint64_t salt)
{
    return mix(mix(mix(key.words[0] ^ secret.words[0]) ^ key.words[1]) ^ secret.words[1] ^ salt);
}
