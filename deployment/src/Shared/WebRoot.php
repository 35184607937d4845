<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/** The folders that the web server publishes. What we keep must not lie in them. */
final class WebRoot
{
    /** @var list<string> */
    private readonly array $folders;

    /** @param mixed $documentRoot what the web server says, if anything */
    public function __construct(string $publicFolder, mixed $documentRoot)
    {
        $named = is_string($documentRoot) && $documentRoot !== '' ? realpath($documentRoot) : false;
        $this->folders = [self::real($publicFolder), ...($named === false ? [] : [$named])];
    }

    /** Whether whoever asks the web server could be given this file or folder. */
    public function publishes(string $path): bool
    {
        $path = self::real($path);
        foreach ($this->folders as $folder) {
            if ($path === $folder || str_starts_with($path, rtrim($folder, '/') . '/')) {
                return true;
            }
        }
        return false;
    }

    /** The real path of what need not exist yet. */
    public static function real(string $path): string
    {
        $missing = '';
        while (($real = realpath($path)) === false && !in_array($path, ['/', '.', ''], true)) {
            $missing = '/' . basename($path) . $missing;
            $path = dirname($path);
        }
        return rtrim((string) $real, '/') . $missing;
    }
}
