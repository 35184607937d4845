<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/**
 * The settings of this host. Each is looked up in the environment, then in the array that
 * data/env.local.php returns, then in the settings file of the page, then among constants.
 */
final class Environment
{
    /**
     * @param array<mixed> $local values of data/env.local.php
     * @param array<mixed> $file values of the settings file
     */
    private function __construct(
        public readonly string $deployment,
        #[\SensitiveParameter] private readonly array $local,
        #[\SensitiveParameter] private readonly array $file,
    ) {
    }

    /**
     * @param string $deployment the folder above the web root
     * @param array<mixed> $file what the settings file of the page returns
     * @throws Refusal 500 when data/env.local.php is none
     */
    public static function load(string $deployment, #[\SensitiveParameter] array $file = []): self
    {
        $path = $deployment . '/data/env.local.php';
        $local = is_file($path) ? require $path : [];
        if (!is_array($local)) {
            throw new Refusal(500, 'data/env.local.php does not return an array.');
        }
        return new self($deployment, $local, $file);
    }

    /** The value of a name, without blanks around it; empty when it is nowhere. */
    public function text(string $name, string $default = ''): string
    {
        $constant = defined($name) ? constant($name) : '';
        $sources = [getenv($name), $_SERVER[$name] ?? '', $this->local[$name] ?? '', $this->file[$name] ?? '', $constant];
        foreach ($sources as $value) {
            if ((is_string($value) || is_int($value)) && trim((string) $value) !== '') {
                return trim((string) $value);
            }
        }
        return $default;
    }

    /**
     * A whole number.
     *
     * @throws Refusal 500 when it is none, or out of its bounds
     */
    public function number(string $name, int $default, int $least, int $most): int
    {
        $text = $this->text($name);
        if ($text === '') {
            return $default;
        }
        $number = filter_var($text, FILTER_VALIDATE_INT);
        if ($number === false || $number < $least || $number > $most) {
            throw new Refusal(500, "$name is no number from $least to $most.");
        }
        return $number;
    }

    /** @return list<string> what commas and blanks separate; an array is taken as it is */
    public function members(string $name): array
    {
        $list = $this->local[$name] ?? $this->file[$name] ?? null;
        if ($this->fromProcess($name) === '' && is_array($list)) {
            return array_values(array_filter($list, is_string(...)));
        }
        return array_values(array_filter(preg_split('/[\s,]+/', $this->text($name)) ?: [], static fn ($one) => $one !== ''));
    }

    /** @return array<mixed> an array of a settings file; that of data/env.local.php covers the other's entries */
    public function table(string $name): array
    {
        $tables = [$this->file[$name] ?? [], $this->local[$name] ?? []];
        return array_replace_recursive(...array_map(static fn ($table) => is_array($table) ? $table : [], $tables));
    }

    /**
     * An absolute path outside the web root.
     *
     * @throws Refusal 500 when it is not absolute, 403 when it would be published
     */
    public function path(string $name, string $below, WebRoot $root): string
    {
        $path = $this->text($name, "{$this->deployment}/$below");
        if (!str_starts_with($path, '/') || in_array('..', explode('/', $path), true)) {
            throw new Refusal(500, "$name must be an absolute path without \"..\".");
        }
        if ($root->publishes($path)) {
            throw new Refusal(403, "$name is inside the document root.");
        }
        return $path;
    }

    private function fromProcess(string $name): string
    {
        $value = getenv($name);
        return is_string($value) ? trim($value) : '';
    }
}
