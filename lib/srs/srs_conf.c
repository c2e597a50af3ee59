#include "srs_conf.h"

#include <stdlib.h>

struct srs_conf *
srs_conf_new(const struct srs_settings *settings, const char **why)
{
    bool classic = settings->mac == SRS_MAC_CLASSIC || settings->accept_classic;

    if (settings->secret_count == 0) {
        *why = "there is no secret";
        return NULL;
    }
    if (settings->hash_length == 0 || settings->hash_minimum == 0 ||
        settings->hash_length > srs_mac_length(settings->mac) ||
        settings->hash_minimum > settings->hash_length) {
        *why = "hash lengths do not fit the MAC";
        return NULL;
    }
    struct srs_keys *keys =
        srs_keys_new(settings->secrets, settings->secret_count, classic, why);
    if (keys == NULL)
        return NULL;

    struct srs_conf *conf = mem_alloc(sizeof(*conf));
    *conf = (struct srs_conf){
        .keys = keys,
        .mac = settings->mac,
        .accept_classic = settings->accept_classic,
        .hash_length = settings->hash_length,
        .hash_minimum = settings->hash_minimum,
        .max_age_days = settings->max_age_days,
        .separator = settings->separator != '\0' ? settings->separator : '=',
    };
    return conf;
}

void
srs_conf_free(struct srs_conf *conf)
{
    if (conf == NULL)
        return;
    srs_keys_free(conf->keys);
    free(conf);
}

struct slice
srs_conf_secret(const struct srs_conf *conf)
{
    return srs_keys_first(conf->keys);
}

size_t
srs_conf_secret_count(const struct srs_conf *conf)
{
    return srs_keys_count(conf->keys);
}

unsigned
srs_conf_max_age(const struct srs_conf *conf)
{
    return conf->max_age_days;
}
