# The two instances: run as root, `sh instances.sh`.

postmulti -e init
postmulti -I postfix-in -G mta -e create
postmulti -I postfix-out -G mta -e create
postmulti -i postfix-in -e enable
postmulti -i postfix-out -e enable

# A new instance has no network.
for instance in postfix-in postfix-out; do
    postconf -c "/etc/$instance" -X master_service_disable
done
