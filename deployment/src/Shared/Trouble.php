<?php

declare(strict_types=1);

namespace RenderSignal\Shared;

/** Something of this host or of the network does not work just now. The message holds no secret. */
final class Trouble extends \RuntimeException
{
}
