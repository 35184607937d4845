<?php

/**
 * Settings of public_html/config_api.php. Keep this file outside the web root.
 *
 * The token is looked up in this order; without one, the service refuses every request:
 *   1. the environment variable CONFIG_API_TOKEN;
 *   2. the entry 'CONFIG_API_TOKEN' of the array that data/env.local.php returns, if there is one;
 *   3. the constant below.
 * CONFIG_API_STORAGE_DIR is looked up likewise (default: data/app_config). So are
 * CONFIG_API_ALLOW_CIDRS, the networks that may ask (default: all), and TRUSTED_PROXIES, those of
 * the proxies whose X-Forwarded-For is believed (default: none); commas separate networks.
 *
 * En français : le jeton est cherché dans l'environnement, puis dans data/env.local.php, puis
 * ici. Sans jeton, le service refuse toute requête : il n'y a pas de valeur par défaut.
 */

declare(strict_types=1);

// A long random value, such as the output of: openssl rand -hex 32
// define('CONFIG_API_TOKEN', '…');

// An absolute path outside the web root.
// define('CONFIG_API_STORAGE_DIR', '/…');

// The networks that may ask, such as the outbound addresses of the instance at Render.
// define('CONFIG_API_ALLOW_CIDRS', '192.0.2.7/32, 2001:db8::/32');
