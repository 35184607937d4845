<?php

declare(strict_types=1);

namespace RenderSignal\Receiver;

/** Whose mails are acted upon. The program has its own list; this one is a second look. */
final class AuthorizedSenders
{
    /** Stands for everybody whom the program lets through. */
    private const EVERYBODY = '*';

    /** @var list<string> */
    private readonly array $addresses;

    /** @param list<string> $addresses */
    public function __construct(array $addresses)
    {
        $this->addresses = array_map(self::same(...), $addresses);
    }

    public function isAuthorized(?string $address): bool
    {
        $address = self::same($address ?? '');
        if ($address === '') {
            return false;
        }
        return in_array($address, $this->addresses, true) || in_array(self::EVERYBODY, $this->addresses, true);
    }

    public function isEmpty(): bool
    {
        return $this->addresses === [];
    }

    private static function same(string $address): string
    {
        return strtolower(trim($address));
    }
}
