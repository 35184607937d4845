<?php

declare(strict_types=1);

namespace RenderSignal\ConfigApi;

use RenderSignal\Shared\Environment;
use RenderSignal\Shared\Refusal;
use RenderSignal\Shared\WebRoot;

/** What the operator configured: the token, and where documents lie. */
final class Settings
{
    /** Values that stand in published examples: everybody knows them. */
    private const KNOWN_TOKENS = ['changeme-config-api-token', 'votre_jeton_secret_ici', 'VOTRE_TOKEN'];

    /** Fewer characters could be guessed; render-signal asks for as many. */
    private const SHORTEST_TOKEN = 24;

    private function __construct(
        #[\SensitiveParameter] private readonly string $token,
        public readonly string $storage,
        public readonly Client $client,
    ) {
    }

    /**
     * Reads environment, data/env.local.php and config/config_api.php below `$deployment`.
     *
     * @throws Refusal 500 without configuration or token, 403 when documents would be published
     */
    public static function load(string $deployment, WebRoot $root): self
    {
        $file = $deployment . '/config/config_api.php';
        if (!is_file($file)) {
            throw new Refusal(500, 'Config file missing.');
        }
        require_once $file;
        $values = Environment::load($deployment);

        $token = $values->text('CONFIG_API_TOKEN');
        if ($token === '' || in_array($token, self::KNOWN_TOKENS, true)) {
            throw new Refusal(500, 'CONFIG_API_TOKEN is not configured.');
        }
        if (strlen($token) < self::SHORTEST_TOKEN) {
            throw new Refusal(500, 'CONFIG_API_TOKEN has fewer than ' . self::SHORTEST_TOKEN . ' characters.');
        }
        $storage = $values->text('CONFIG_API_STORAGE_DIR', $deployment . '/data/app_config');
        if (!str_starts_with($storage, '/') || in_array('..', explode('/', $storage), true)) {
            throw new Refusal(500, 'CONFIG_API_STORAGE_DIR must be an absolute path without "..".');
        }
        if ($root->publishes($storage)) {
            throw new Refusal(403, 'Storage directory is inside the document root.');
        }
        $client = new Client($values->members('CONFIG_API_ALLOW_CIDRS'), $values->members('TRUSTED_PROXIES'));
        return new self($token, WebRoot::real($storage), $client);
    }

    /** Whether an `Authorization` header carries the token. Takes the same time for every wrong one. */
    public function authorizes(#[\SensitiveParameter] string $header): bool
    {
        if (preg_match('/^Bearer[ \t]+(.*)$/isD', trim($header), $found) !== 1) {
            return false;
        }
        // Of digests, so that not even the length is given away.
        return hash_equals(hash('sha256', $this->token), hash('sha256', $found[1]));
    }
}
