-- lease -> the new fence.
return { tostring(call('HINCRBY', p .. 'fences', arg(), 1)) }
