<?php

declare(strict_types=1);

namespace RenderSignal\ConfigApi;

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
     * @param list<string> $webRoots folders that the web server publishes
     * @throws Refusal 500 without configuration or token, 403 when documents would be published
     */
    public static function load(string $deployment, array $webRoots): self
    {
        $file = $deployment . '/config/config_api.php';
        if (!is_file($file)) {
            throw new Refusal(500, 'Config file missing.');
        }
        require_once $file;
        $local = self::localValues($deployment . '/data/env.local.php');

        $token = self::value('CONFIG_API_TOKEN', $local);
        if ($token === '' || in_array($token, self::KNOWN_TOKENS, true)) {
            throw new Refusal(500, 'CONFIG_API_TOKEN is not configured.');
        }
        if (strlen($token) < self::SHORTEST_TOKEN) {
            throw new Refusal(500, 'CONFIG_API_TOKEN has fewer than ' . self::SHORTEST_TOKEN . ' characters.');
        }
        $storage = self::value('CONFIG_API_STORAGE_DIR', $local);
        $storage = self::resolve($storage === '' ? $deployment . '/data/app_config' : $storage);
        foreach ($webRoots as $webRoot) {
            if ($storage === $webRoot || str_starts_with($storage, rtrim($webRoot, '/') . '/')) {
                throw new Refusal(403, 'Storage directory is inside the document root.');
            }
        }
        $client = new Client(
            self::members(self::value('CONFIG_API_ALLOW_CIDRS', $local)),
            self::members(self::value('TRUSTED_PROXIES', $local)),
        );
        return new self($token, $storage, $client);
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

    /** @return array<mixed> */
    private static function localValues(string $file): array
    {
        $values = is_file($file) ? require $file : [];
        if (!is_array($values)) {
            throw new Refusal(500, 'data/env.local.php does not return an array.');
        }
        return $values;
    }

    /** @param array<mixed> $local */
    private static function value(string $name, array $local): string
    {
        $constant = defined($name) ? constant($name) : '';
        foreach ([getenv($name), $local[$name] ?? '', $constant] as $value) {
            if (is_string($value) && trim($value) !== '') {
                return trim($value);
            }
        }
        return '';
    }

    /** @return list<string> what commas separate */
    private static function members(string $list): array
    {
        return array_values(array_filter(array_map(trim(...), explode(',', $list)), static fn ($one) => $one !== ''));
    }

    /** The real path of a folder that need not exist yet. */
    private static function resolve(string $path): string
    {
        if (!str_starts_with($path, '/') || in_array('..', explode('/', $path), true)) {
            throw new Refusal(500, 'CONFIG_API_STORAGE_DIR must be an absolute path without "..".');
        }
        $missing = '';
        while (($real = realpath($path)) === false && $path !== '/') {
            $missing = '/' . basename($path) . $missing;
            $path = dirname($path);
        }
        return rtrim((string) $real, '/') . $missing;
    }
}
