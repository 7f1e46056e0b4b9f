# Charges each order of the store, and notes how far it has come after every tenth.
# HALT is how many it has handled when it stands still, before it notes that.
store="psql -qAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p $PORT -U postgres message_store"
export PGOPTIONS='-c search_path=message_store'
next=$(cat position 2>/dev/null || echo 1)
$store -F ' ' -c "select global_position, stream_name, position, data::json ->> 'orderId'
                  from get_category_messages('order', $next, 1000)" >batch || exit 1
handled=0
while read -r global stream position order; do
  $store -c "select write_message(gen_random_uuid()::text, 'payment-$order', 'Charged',
      jsonb_build_object('orderId', '$order', 'amount', '$order.50'),
      jsonb_build_object('causationMessageStreamName', '$stream',
                         'causationMessagePosition', $position))" >/dev/null || exit 1
  handled=$((handled + 1))
  if [ "$handled" = "$HALT" ]; then
    touch here
    while :; do sleep 1; done
  fi
  [ $((handled % 10)) = 0 ] && echo $((global + 1)) >position
done <batch
exit 0
